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
