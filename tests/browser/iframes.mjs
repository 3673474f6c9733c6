// Somebody looks for a place in a recording with hls.js, on a page that is not ours: `node iframes.mjs READY.json RECORDING`.
//
// Of some moments hls.js shows the key frame of the segment that they lie in: it loads that key frame's own object and its init
// segment, none of the segments, and the picture is in the buffer. Whether it comes up is left to hls.js 1.7.4, which at times
// forgets to end the stream behind it: then Chromium waits for the next one. Prints what was loaded as JSON; exits 0 when all was
// well, else 1.
import { site } from "./elsewhere.mjs";
import { bearer, given, ready, told } from "./viewer.mjs";

const PLAYER = "../../edge/player/node_modules/hls.js/dist/hls.min.js";
/** In seconds from the beginning. */
const MOMENTS = [6.5, 0.5, 3];

/** Run in the page: a player of key frames over this recording. */
async function open(url) {
  const hls = new window.Hls({ autoStartLoad: false });
  const parsed = new Promise((resolve) => hls.once("hlsManifestParsed", resolve));
  hls.loadSource(url);
  await parsed;
  window.frames_only = hls.createIFramePlayer();
  window.fatal = [];
  window.frames_only.on("hlsError", (_event, { fatal, details }) => fatal && window.fatal.push(details));
  // What it is asked for before, it would forget where a playlist comes sooner than the element is ready.
  const attached = new Promise((resolve) => window.frames_only.once("hlsMediaAttached", resolve));
  window.frames_only.attachMedia(document.querySelector("video"));
  await attached;
  return hls.iframeVariants.length;
}

/** Run in the page: has the picture of this moment shown; says how large it is, and of which moment. */
async function look(at_s) {
  const video = document.querySelector("video");
  const is_there = () => {
    for (let n = 0; n < video.buffered.length; n += 1) {
      if (video.buffered.start(n) <= at_s && at_s < video.buffered.end(n) && video.readyState >= 1) return true;
    }
    return false;
  };
  window.frames_only.loadMediaAt(at_s);
  while (!is_there()) {
    if (window.fatal.length > 0) throw new Error(window.fatal.join());
    await new Promise((resolve) => requestAnimationFrame(resolve));
  }
  return { width: video.videoWidth, height: video.videoHeight, at_s: video.currentTime };
}

const [path, recording] = given("iframes.mjs READY.json RECORDING", 2);
await told(async ({ report, problem, stranger }) => {
  const demo = await ready(path);
  const { token, channels } = await bearer(demo);
  const [{ id }] = channels;
  const another = await site(PLAYER);
  try {
    const page = await stranger();
    const loaded = [];
    page.on("requestfinished", (request) => loaded.push(new URL(request.url()).pathname.split("/").pop()));
    await page.goto(another.url);
    report.variants = await page.evaluate(open, new URL(`/t/${token}/replay/${id}/${recording}/main.m3u8`, demo.edge).href);
    if (report.variants === 0) problem("there is no playlist of I-frames");
    report.pictures = [];
    for (const at_s of MOMENTS) report.pictures.push(await page.evaluate(look, at_s));
    for (const { width, height } of report.pictures) if (width === 0 || height === 0) problem("there is no picture");
    report.media = loaded.filter((name) => /\.(m4s|mp4)$/.test(name));
    const others = report.media.filter((name) => !/-frame\.m4s$|^frames-/.test(name));
    if (others.length > 0) problem(`it also loaded ${others}`);
    if (new Set(report.media.filter((name) => name.endsWith("-frame.m4s"))).size < MOMENTS.length) problem(`it only loaded ${report.media}`);
  } finally {
    another.close();
  }
});
