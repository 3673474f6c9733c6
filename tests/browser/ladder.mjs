// Somebody watches a channel's ladder with a player that is not ours, on a page that is not ours:
// `node ladder.mjs READY.json hls|shaka FROM SECONDS URL`.
//
// The channel of this multivariant playlist has ended. From FROM on the player is held at the lowest rendition,
// which has a gap before SECONDS: it must get past that by itself. (Where a gap is the very first that it asks for, hls.js 1.7 may ask
// for nothing more: see edge/player/README.md.) Then it is told to play the source, and the lowest rendition again, or first this one
// where it has left it: the picture must become each. It may wait for media; where that is in hand, it goes on by itself, and no player
// may move it, as hls.js does at a hole. From each choice on hls.js must ask for nothing else. Prints what it saw as JSON; exits 0 when
// all was well, else 1.
import { site } from "./elsewhere.mjs";
import { faults, stands } from "./stands.mjs";
import { given, told } from "./viewer.mjs";

const PLAYERS = {
  hls: "../../edge/player/node_modules/hls.js/dist/hls.js",
  shaka: "node_modules/shaka-player/dist/shaka-player.compiled.js",
};

/** Run in the page: hls.js plays this address from its lowest rendition; gives how high the picture of each is. */
async function playHls([url, from_s]) {
  const hls = new window.Hls({ startLevel: 0, startPosition: from_s, maxBufferLength: 3, maxMaxBufferLength: 3 });
  const parsed = new Promise((resolve) => hls.once("hlsManifestParsed", resolve));
  [window.fatal, window.said, window.asked] = [[], [], []];
  hls.on("hlsError", (_event, { fatal, details, error }) => {
    if (fatal) window.fatal.push(details);
    window.said.push(`${document.querySelector("video").currentTime}: ${error.message}`);
  });
  hls.loadSource(url);
  await parsed;
  hls.loadLevel = 0;
  hls.attachMedia(document.querySelector("video"));
  hls.on("hlsFragLoading", (_event, { frag }) => window.asked.push(hls.levels[frag.level].height));
  // What is buffered is played before: how soon another segment comes does not matter, only how it follows.
  window.choose = (height) => {
    window.asked = [];
    hls.loadLevel = hls.levels.findIndex((level) => level.height === height);
  };
  return hls.levels.map(({ height }) => height);
}

/** Run in the page: the same with Shaka Player. */
async function playShaka([url, from_s]) {
  window.shaka.polyfill.installAll();
  const player = new window.shaka.Player();
  await player.attach(document.querySelector("video"));
  player.configure({ abr: { enabled: false, defaultBandwidthEstimate: 1 }, streaming: { bufferingGoal: 4, stallEnabled: false } });
  [window.fatal, window.said, window.asked] = [[], [], []];
  player.addEventListener("error", ({ detail }) => window.fatal.push(`${detail.code}`));
  await player.load(url, from_s).catch(({ code, data }) => {
    throw new Error(`Shaka Player's ${code}: ${data}`);
  });
  const pictures = () => player.getVariantTracks().filter(({ height }) => height > 0);
  const tracks = () => pictures().toSorted((a, b) => a.height - b.height);
  window.choose = (height) => player.selectVariantTrack(tracks().find((track) => track.height === height), false);
  window.choose(tracks()[0].height);
  return tracks().map(({ height }) => height);
}

/** Run in the page: from now on it is noted when the picture stands, and where it is moved to. */
function watch() {
  const video = document.querySelector("video");
  [window.stood, window.seeks] = [window.stands(video), []];
  video.addEventListener("seeking", () => window.seeks.push(video.currentTime));
}

const height = () => document.querySelector("video").videoHeight;
const at = () => document.querySelector("video").currentTime;

const [, kind, from, seconds, url] = given("ladder.mjs READY.json hls|shaka FROM SECONDS URL", 5);
await told(async ({ report, problem, stranger }) => {
  const another = await site(PLAYERS[kind]);
  const page = await stranger();
  try {
    await page.addInitScript(`window.stands = ${stands};`);
    await page.goto(another.url);
    report.heights = await page.evaluate(kind === "hls" ? playHls : playShaka, [url, Number(from)]);
    if (report.heights.length !== 3) problem("there are not three renditions with a picture");
    const [low] = report.heights;
    const high = report.heights.at(-1);
    /** Until this is so in the page, or the player gives up. */
    const until = async (so, arg) => {
      const done = await page.waitForFunction(([so, arg]) => window.fatal.length > 0 || new Function(`return (${so})`)()(arg), [so.toString(), arg]);
      await done.dispose();
    };
    await until((from) => document.querySelector("video").currentTime > from, Number(seconds));
    report.behind_the_gap = { at_s: await page.evaluate(at), height: await page.evaluate(height) };
    await page.evaluate(watch);
    report.pictures = [];
    // At a gap hls.js goes over to another one.
    const order = report.behind_the_gap.height === low ? [high, low] : [low, high];
    for (const wanted of order) {
      await page.evaluate((height) => window.choose(height), wanted);
      await until((height) => document.querySelector("video").videoHeight === height, wanted);
      const asked = await page.evaluate(() => window.asked);
      report.pictures.push({ at_s: await page.evaluate(at), height: await page.evaluate(height), asked });
    }
    // Where it stands right now it goes on.
    await until(() => window.stood.every(({ over }) => over));
    report.seeks = await page.evaluate(() => window.seeks);
    report.stood = await page.evaluate(() => window.stood);
    report.fatal = await page.evaluate(() => window.fatal);
    if (report.fatal.length > 0) problem("the player gave up");
    if (report.behind_the_gap.height !== low && kind === "shaka") problem("the lowest rendition was not played");
    if (report.pictures.some((picture, n) => picture.height !== order[n])) problem("it did not play what it was told to");
    const others = report.pictures.map(({ asked }, n) => asked.filter((height) => height !== order[n]));
    if (others.some((heights) => heights.length > 0)) problem(`it was told what to play and asked for others: ${JSON.stringify(others)}`);
    if (report.seeks.length > 0) problem(`the player moved the picture to ${report.seeks} s`);
    if (faults(report.stood).length > 0) problem("the picture stood at a switch, with media in hand, and did not go on by itself");
  } catch (error) {
    // Where it stands, what it has, and what it said.
    report.stands = await page.evaluate(() => {
      const { buffered, currentTime, readyState, paused, seeking } = document.querySelector("video");
      const ranges = Array.from({ length: buffered.length }, (_, i) => [buffered.start(i), buffered.end(i)]);
      return { currentTime, readyState, paused, seeking, ranges, said: window.said.slice(-20) };
    });
    throw error;
  } finally {
    another.close();
  }
});
