// Players that are not ours play what comes of broken streams: `node broken.mjs DIR`, where DIR/cases.json lists the cases and the
// rest of DIR is what they ask for.
//
// hls.js and Shaka Player play each case faster than time goes (but ladders), several cases beside each other. Each must come to its end, without
// being moved by anybody but the player, with pictures behind every discontinuity, and without a hole in what it has; of a ladder,
// while another rendition is chosen again and again. Where the picture stands with media in hand, it must go on by itself: neither
// player may help it. What ffmpeg made of a case is in the list already. Prints what was seen as JSON; exits 0 when all was well, else
// 1.
import { createServer } from "node:http";
import { readFile } from "node:fs/promises";
import { join, normalize } from "node:path";
import { faults, stands } from "./stands.mjs";
import { given, told } from "./viewer.mjs";

/** How many cases are played beside each other, and how much faster than time goes. */
const TOGETHER = 6;
const RATE = 4;
/** What a case may take, in milliseconds: a bound far above what it takes. */
const CASE_MS_MAX = 90_000;
/** How long a hole may be in what a player has, in seconds: a picture, and a bit. */
const HOLE_S_MAX = 0.045;
const SCRIPTS = { "/hls.js": "../../edge/player/node_modules/hls.js/dist/hls.min.js", "/shaka.js": "node_modules/shaka-player/dist/shaka-player.compiled.js" };
const TYPES = { m3u8: "application/vnd.apple.mpegurl", mp4: "video/mp4", m4s: "video/iso.segment" };
const PAGE = `<!doctype html><title>Players</title><script src="/hls.js"></script><script src="/shaka.js"></script>`;

/** A site with players, and everything below a directory. */
async function serve(dir) {
  const server = createServer(async ({ url }, answer) => {
    const path = normalize(new URL(url, "http://here").pathname);
    try {
      const bytes = path === "/" ? PAGE : await readFile(path in SCRIPTS ? new URL(SCRIPTS[path], import.meta.url) : join(dir, path));
      const type = path === "/" ? "text/html" : (TYPES[path.split(".").pop()] ?? "application/octet-stream");
      answer.writeHead(200, { "content-type": type }).end(bytes);
    } catch {
      answer.writeHead(404).end();
    }
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { url: `http://127.0.0.1:${server.address().port}`, close: () => server.close() };
}

/** Run in the page: hls.js over a case. `loaded` resolves when its beginning is there. */
function byHls({ video, url, ladder, from_s, error }) {
  const all = { maxBufferLength: 600, maxMaxBufferLength: 600, highBufferWatchdogPeriod: Infinity };
  const hls = new window.Hls({ startPosition: from_s > 0 ? from_s : -1, ...all });
  hls.on("hlsError", (_event, { fatal, type, details, error: why }) => error(fatal, `${type} ${details}: ${why?.message}`));
  const loaded = new Promise((resolve) => hls.once("hlsFragBuffered", resolve));
  // Another rendition for each segment.
  if (ladder) hls.on("hlsFragLoaded", (_event, { frag }) => (hls.nextLoadLevel = (frag.level + 1) % hls.levels.length));
  hls.loadSource(url);
  hls.attachMedia(video);
  return { loaded, end: async () => hls.destroy() };
}

/** Run in the page: the same of Shaka Player. */
function byShaka({ video, url, ladder, from_s, error }) {
  const player = new window.shaka.Player();
  player.configure({ streaming: { bufferingGoal: ladder ? 2 : 600, stallEnabled: false }, abr: { enabled: !ladder } });
  const told = ({ severity, category, code, data }) => error(severity === 2, `${category}.${code} ${String(data)}`);
  player.addEventListener("error", ({ detail }) => told(detail));
  // Another rendition for each second of what is played.
  const turn = () => {
    const tracks = player.getVariantTracks();
    const next = tracks[Math.floor(video.currentTime) % tracks.length];
    if (next !== undefined && !next.active) player.selectVariantTrack(next, false);
  };
  const turns = ladder ? setInterval(turn, 20) : undefined;
  const load = async () => {
    await player.attach(video);
    await player.load(url, from_s > 0 ? from_s : null);
  };
  return { loaded: load().catch(told), end: () => (clearInterval(turns), player.destroy()) };
}

/** Run in the page: plays one case, and says what came of it. */
async function play([player, url, breaks_s, ladder, from_s, rate, ms_max]) {
  const video = document.createElement("video");
  video.muted = true;
  document.body.append(video);
  const saw = { fatal: [], errors: [], seeks: [], stood: [], pictures: [], sizes: [], ended: false };
  video.addEventListener("resize", () => saw.sizes.push(video.videoWidth));
  let give_up;
  const failed = new Promise((_, reject) => (give_up = reject));
  failed.catch(() => {});
  const timer = setTimeout(() => give_up(new Error(`it stands at ${video.currentTime} s of ${video.duration}`)), ms_max);
  const error = (fatal, text) => {
    saw[fatal ? "fatal" : "errors"].push(text);
    if (fatal) give_up(new Error(text));
  };
  const by = (player === "hls.js" ? byHls : byShaka)({ video, url, ladder, from_s, error });
  try {
    await Promise.race([by.loaded, failed]);
    const frames = () => video.getVideoPlaybackQuality().totalVideoFrames;
    const marks = breaks_s.map((at_s) => ({ at_s, frames: null }));
    video.addEventListener("seeking", () => saw.seeks.push(video.currentTime));
    saw.stood = window.stands(video);
    video.addEventListener("error", () => error(true, `the element: ${video.error?.message}`));
    const look = () => {
      for (const mark of marks) if (mark.frames === null && video.currentTime >= mark.at_s) mark.frames = frames();
      if (!video.ended) requestAnimationFrame(look);
    };
    look();
    const ended = new Promise((resolve) => video.addEventListener("ended", resolve));
    video.playbackRate = rate;
    await video.play();
    await Promise.race([ended, failed]);
    saw.ended = true;
    // In all, and behind each discontinuity.
    saw.pictures = [frames(), ...marks.map((mark) => frames() - (mark.frames ?? frames()))];
    // A busy machine may have looked too late: what is there can be played once more, and a picture from there must be shown.
    for (const [n, { at_s }] of marks.entries()) {
      if (saw.pictures[n + 1] > 0) continue;
      const from_ms = performance.now();
      const shown = new Promise((done) => {
        // What was there before it went back is none of it.
        const look = (_now, { mediaTime, presentationTime }) =>
          mediaTime >= at_s && presentationTime > from_ms ? done() : video.requestVideoFrameCallback(look);
        video.requestVideoFrameCallback(look);
      });
      [video.playbackRate, video.currentTime] = [1, at_s + 0.05];
      await video.play();
      await Promise.race([shown, failed]);
      saw.pictures[n + 1] = 1;
    }
  } catch (failure) {
    if (saw.fatal.length === 0) saw.fatal.push(String(failure));
  }
  clearTimeout(timer);
  saw.at_s = video.currentTime;
  saw.buffered = Array.from({ length: video.buffered.length }, (_, n) => [video.buffered.start(n), video.buffered.end(n)]);
  await by.end();
  video.remove();
  return saw;
}

const [dir] = given("broken.mjs DIR", 1);
await told(async ({ report, problem, stranger }) => {
  const cases = JSON.parse(await readFile(join(dir, "cases.json"), "utf8"));
  const here = await serve(dir);
  try {
    const page = await stranger();
    await page.addInitScript([byHls, byShaka, stands, play].map((run) => `window.${run.name} = ${run};`).join("\n"));
    await page.goto(here.url);
    report.saw = {};
    const note = (player, { name }, wrong) => wrong !== null && problem(`${player}, ${name}: ${wrong}`);
    const asked = (player) => cases.filter(({ excused }) => !excused.includes(player));
    for (const one of asked("ffmpeg")) {
      const { listed, decoded, said } = one.ffmpeg;
      note("ffmpeg", one, decoded === listed && said === "" ? null : `${decoded} pictures of ${listed}, and it says ${said}`);
    }
    for (const player of ["hls.js", "Shaka"]) {
      for (let n = 0; n < asked(player).length; n += TOGETHER) {
        const some = asked(player).slice(n, n + TOGETHER);
        const what = some.map(({ url, breaks_s, renditions, from_s }) => [player, url, breaks_s, renditions > 1, from_s, renditions > 1 ? 1 : RATE, CASE_MS_MAX]);
        const saw = await page.evaluate((all) => Promise.all(all.map(window.play)), what);
        some.forEach((one, at) => {
          const { fatal, pictures, sizes, stood, ended, buffered } = saw[at];
          // Who does not begin at the beginning has nothing before there.
          const begun = one.from_s > 0 ? (buffered[0]?.[0] ?? 0) : 0;
          const holes = buffered.filter(([from], nth) => from - (nth > 0 ? buffered[nth - 1][1] : begun) > HOLE_S_MAX);
          report.saw[`${player}, ${one.name}`] = saw[at];
          let wrong = null;
          if (fatal.length > 0) wrong = `it gave up: ${fatal}`;
          else if (!ended) wrong = "it did not come to the end";
          else if (holes.length > 0) wrong = `there is a hole before each of these: ${JSON.stringify(holes)}`;
          else if (faults(stood).length > 0) wrong = `the picture stood with media in hand: ${JSON.stringify(faults(stood))}`;
          else if (pictures.includes(0)) wrong = `pictures in all, and behind each discontinuity: ${pictures}`;
          else if (one.renditions > 1 && new Set(sizes).size < 2) wrong = `no other rendition came: ${sizes}`;
          note(player, one, wrong);
        });
      }
    }
  } finally {
    here.close();
  }
});
