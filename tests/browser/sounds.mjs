// Somebody listens to a channel with several sounds: `node sounds.mjs READY.json hls|shaka|ours|replay URL FIRST_HZ SECOND_HZ`, with a
// player that is not ours on a page that is not ours, or on our own, where it is live or in its newest recording.
//
// The sounds of this multivariant playlist are tones. The player plays the first one by itself, then it is told to play the second
// one, and the first again, or on our page, it is loaded again: what is heard must become each, while the picture goes on. Prints
// what it heard as JSON; exits 0 when all was well, else 1.
import { site } from "./elsewhere.mjs";
import { given, logIn, openFirstChannel, playing, ready, told } from "./viewer.mjs";

const PLAYERS = {
  hls: "../../edge/player/node_modules/hls.js/dist/hls.js",
  shaka: "node_modules/shaka-player/dist/shaka-player.compiled.js",
};

/** A tone is known to within so much, in hertz. */
const NEAR_HZ = 30;

/** Run in the page: hls.js plays this address; gives the sounds that there are. */
async function playHls(url) {
  const hls = new window.Hls({ maxBufferLength: 4, maxMaxBufferLength: 4 });
  const sounds = new Promise((resolve) => hls.once("hlsAudioTracksUpdated", (_event, { audioTracks }) => resolve(audioTracks)));
  window.fatal = [];
  hls.on("hlsError", (_event, { fatal, details }) => fatal && window.fatal.push(details));
  hls.loadSource(url);
  hls.attachMedia(document.querySelector("video"));
  window.choose = (place) => {
    hls.audioTrack = place;
  };
  return (await sounds).map(({ name, lang }) => ({ name, language: lang }));
}

/** Run in the page: the same with Shaka Player. */
async function playShaka(url) {
  window.shaka.polyfill.installAll();
  const player = new window.shaka.Player();
  await player.attach(document.querySelector("video"));
  player.configure({ streaming: { bufferingGoal: 4 } });
  window.fatal = [];
  player.addEventListener("error", ({ detail }) => window.fatal.push(`${detail.code}`));
  await player.load(url).catch(({ code, data }) => {
    throw new Error(`Shaka Player's ${code}: ${data}`);
  });
  const sounds = player.getAudioTracks().map(({ label, language }) => ({ name: label, language }));
  window.choose = (place) => {
    const is = ({ label }) => label === sounds[place].name;
    player.selectAudioTrack(player.getAudioTracks().find(is));
  };
  return sounds;
}

/** Run in the page, where somebody has clicked: `loudest()` is the loudest tone from then on, in hertz. */
async function listen() {
  const video = document.querySelector("video");
  const context = new AudioContext();
  const analyser = context.createAnalyser();
  analyser.fftSize = 4096;
  context.createMediaElementSource(video).connect(analyser);
  analyser.connect(context.destination);
  window.loudest = () => {
    const levels = new Float32Array(analyser.frequencyBinCount);
    analyser.getFloatFrequencyData(levels);
    const place = levels.reduce((best, level, at) => (level > levels[best] ? at : best), 0);
    return levels[place] > -90 ? (place * context.sampleRate) / analyser.fftSize : 0;
  };
  video.muted = false;
  await context.resume();
  await video.play();
}

/** Until this tone is heard in the page while the picture goes on; gives what was heard. */
async function hears(page, hz) {
  const from_s = await page.evaluate(() => document.querySelector("video").currentTime);
  const is = ([hz, near, from_s]) => {
    if (window.fatal?.length > 0) return true;
    const { currentTime, paused } = document.querySelector("video");
    // Where the presentation is taken from the beginning, the video's clock begins elsewhere.
    return !paused && currentTime !== from_s && Math.abs(window.loudest() - hz) < near;
  };
  await (await page.waitForFunction(is, [hz, NEAR_HZ, from_s])).dispose();
  return page.evaluate(() => ({ at_s: document.querySelector("video").currentTime, hz: Math.round(window.loudest()) }));
}

/** With a player that is not ours. */
async function foreign({ report, problem, stranger }, kind, url, [first, second]) {
  const another = await site(PLAYERS[kind]);
  try {
    const page = await stranger();
    await page.goto(another.url);
    await page.mouse.click(1, 1);
    report.sounds = await page.evaluate(kind === "hls" ? playHls : playShaka, url);
    if (report.sounds.length !== 2) problem("there are not two sounds");
    await page.evaluate(listen);
    report.heard = [await hears(page, first)];
    for (const [place, hz] of [[1, second], [0, first]]) {
      await page.evaluate((place) => window.choose(place), place);
      report.heard.push(await hears(page, hz));
    }
    report.fatal = await page.evaluate(() => window.fatal);
    if (report.fatal.length > 0) problem("the player gave up");
  } finally {
    another.close();
  }
}

/** On our page, by the keyboard; what was chosen is still so when it is loaded again, and where the picture is left out. */
async function ours({ report, problem, person }, edge, kind, [first, second]) {
  const page = await person([]);
  await logIn(page, edge);
  if (kind === "ours") await openFirstChannel(page);
  else {
    await page.getByTestId("replay").first().click();
    await page.waitForURL((url) => /^\/watch\/[^/]+\/[^/]+$/.test(url.pathname));
    await playing(page);
  }
  await page.evaluate(listen);
  report.heard = [await hears(page, first)];
  const choice = page.getByTestId("sound");
  await choice.locator("option").nth(1).waitFor({ state: "attached" });
  report.sounds = await choice.locator("option").allTextContents();
  await choice.focus();
  await page.keyboard.press("ArrowDown");
  report.heard.push(await hears(page, second));
  await page.reload();
  await playing(page);
  await page.mouse.click(1, 1);
  await page.evaluate(listen);
  report.heard.push(await hears(page, second));
  report.chosen = await choice.inputValue();
  // Without a picture each sound is one to choose, too.
  await page.getByTestId("quality").selectOption("sound");
  await page.getByTestId("sound-only").waitFor({ state: "visible" });
  report.heard.push(await hears(page, second));
  await choice.selectOption("0");
  report.heard.push(await hears(page, first));
  if ((await choice.inputValue()) !== "0") problem("what is heard is not shown");
}

const [path, kind, url, first, second] = given("sounds.mjs READY.json hls|shaka|ours|replay URL FIRST_HZ SECOND_HZ", 5);
await told(async (work) => {
  const tones = [Number(first), Number(second)];
  if (!(kind in PLAYERS)) await ours(work, await ready(path), kind, tones);
  else await foreign(work, kind, url, tones);
});
