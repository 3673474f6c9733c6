// What the scripts share in which somebody watches with a player that is not ours, on a page that is not ours.
import { createServer } from "node:http";
import { readFile } from "node:fs/promises";

const PAGE = `<!doctype html><title>Another site</title><video muted autoplay playsinline></video><script src="/player.js"></script>`;

/** Another site: a page with a picture, and this file as the player's script. */
export async function site(script) {
  const player = await readFile(new URL(script, import.meta.url));
  const server = createServer(({ url }, answer) => {
    const found = { "/": ["text/html", PAGE], "/player.js": ["text/javascript", player] }[url];
    answer.writeHead(found === undefined ? 404 : 200, { "content-type": found?.[0] ?? "text/plain" }).end(found?.[1]);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { url: `http://127.0.0.1:${server.address().port}/`, close: () => server.close() };
}

/** Run in the page: whether the picture moves. */
export const moves = () => {
  const { currentTime, paused, readyState } = document.querySelector("video");
  return !paused && readyState >= 3 && currentTime > 0;
};

/** The length of a segment by which objects are numbered, in milliseconds. */
const SEGMENT_MS = 2_000;

/** The objects that a page asks for from now on: `starts()` gives when the segments among them start, in milliseconds since 1970. */
export function segments(page) {
  const asked = [];
  page.on("request", (request) => asked.push(new URL(request.url()).pathname));
  // An object's name has its number and the milliseconds that it is off the grid by.
  const start = (path) => /\/(\d+)-(\d+)\.m4s$/.exec(path)?.slice(1).map(Number);
  const starts = () => asked.flatMap((path) => [start(path) ?? []]).filter((found) => found.length > 0);
  return { asked, starts: () => starts().map(([number, offset_ms]) => number * SEGMENT_MS + offset_ms) };
}

/**
 * Run in the page, whose `dateNow` is the player's own date: `zero_ms` is what time the video's clock began at from then on. The
 * frame that is buffered first is the first one of one of these segments. Which one, the player's date tells: that is of the
 * playlist and not of a frame.
 */
export const began = (starts_ms) => {
  const { buffered, currentTime } = document.querySelector("video");
  const about_ms = window.dateNow() - (currentTime - buffered.start(0)) * 1000;
  const [first_ms] = starts_ms.sort((a, b) => Math.abs(a - about_ms) - Math.abs(b - about_ms));
  window.zero_ms = first_ms - buffered.start(0) * 1000;
};
