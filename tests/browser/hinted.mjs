// Somebody watches a low-latency channel that hints at parts, with hls.js as it is, on a page that is not ours:
// `node hinted.mjs READY.json SECONDS`.
//
// hls.js follows the addresses under which the playlist lists parts: each leads from the edge to a node. Plays so many seconds of
// media of them. Meanwhile a player that takes hints, which hls.js 1.7 only reads, asks for what is hinted at again and again:
// it gets an object, and the next playlist lists the part under the very address. Prints what it saw as JSON; exits 0 when all
// was well, else 1.
import { moves, site } from "./elsewhere.mjs";
import { bearer, given, ready, told } from "./viewer.mjs";

const PLAYER = "../../edge/player/node_modules/hls.js/dist/hls.min.js";
/** The length of a part, in seconds. */
const PART_S = 1 / 3;
/** How many hints are taken. */
const HINTS = 6;
/**
 * Parts are listed of the newest three segments: with more behind a segment than the first, in seconds, and where the picture is further behind the
 * playlist's end than the second, hls.js takes it whole. What a busy machine held up does not catch up by itself.
 */
const [NEWER_S, BEHIND_S] = [5, 7];

/** Run in the page: hls.js plays this address in the page's picture. */
function play(url) {
  const hls = new window.Hls({ lowLatencyMode: true });
  window.fatal = [];
  window.whole = {};
  // How far behind it is, the playlist tells that it has then, and not the clock.
  hls.on("hlsFragLoading", (_event, { frag: { sn, level, start: from_s, end: to_s }, part }) => {
    const { edge } = hls.levels[level].details;
    const { currentTime } = document.querySelector("video");
    if (!part && sn !== "initSegment") window.whole[sn] ??= { from_s, to_s, newer_s: edge - to_s, behind_s: edge - currentTime };
  });
  hls.on("hlsError", (_event, { fatal, details }) => fatal && window.fatal.push(details));
  hls.loadSource(url);
  hls.attachMedia(document.querySelector("video"));
}

/** The directives that ask for what comes behind a playlist's last part (RFC 8216bis, 6.2.5.2). */
function next(text) {
  const first = Number(/^#EXT-X-MEDIA-SEQUENCE:(\d+)$/m.exec(text)?.[1]);
  const [of_next, ...segments] = text.split("#EXTINF:").reverse();
  const parts = of_next.match(/^#EXT-X-PART:/gm)?.length ?? 0;
  return `?_HLS_msn=${first + segments.length}&_HLS_part=${parts}`;
}

const [path, seconds] = given("hinted.mjs READY.json SECONDS", 2);
await told(async ({ report, problem, stranger }) => {
  const demo = await ready(path);
  const { token, channels } = await bearer(demo);
  const [{ id, nodes }] = channels;
  const live = new URL(`/t/${token}/live/${id}/`, demo.edge);
  const another = await site(PLAYER);
  try {
    const page = await stranger();
    const parts = { led: 0, other: 0 };
    page.on("requestfinished", (request) => {
      if (!new URL(request.url()).pathname.includes("/_parts/")) return;
      const from = request.redirectedFrom()?.url() ?? "";
      if (from.startsWith(live.href)) parts.led += 1;
      else parts.other += 1;
    });
    await page.goto(another.url);
    await page.evaluate(play, new URL("main.m3u8", live).href);
    await page.waitForFunction(moves);
    const { led } = parts;
    const [from_s, had_s] = await page.evaluate(() => {
      const { buffered, currentTime } = document.querySelector("video");
      return [currentTime, buffered.end(buffered.length - 1)];
    });
    const until_s = from_s + Number(seconds);

    // Meanwhile, the other player.
    const media = new URL(`${nodes[0].id}/source.m3u8`, live);
    const playlist = async (query) => {
      const answer = await fetch(`${media.href}${query}`);
      if (!answer.ok) throw new Error(`the playlist is answered ${answer.status}`);
      return answer.text();
    };
    report.hints = [];
    let text = await playlist("");
    while (report.hints.length < HINTS) {
      const hint = /^#EXT-X-PRELOAD-HINT:TYPE=PART,URI="([^"]+)"$/m.exec(text)?.[1];
      if (hint === undefined) throw new Error(`the playlist has no hint:\n${text}`);
      // Both are held until the part is there.
      const [answer, newer] = await Promise.all([fetch(new URL(hint, media)), playlist(next(text))]);
      const { byteLength } = await answer.arrayBuffer();
      if (!answer.ok || !answer.redirected || byteLength === 0) problem(`${hint} is answered ${answer.status} with ${byteLength} bytes`);
      text = newer;
      if (!new RegExp(`^#EXT-X-PART:.*URI="${hint}"`, "m").test(text)) problem(`${hint} was hinted at and is not listed:\n${text}`);
      report.hints.push({ hint, bytes: byteLength });
    }

    await page.waitForFunction((end_s) => document.querySelector("video").currentTime >= end_s, until_s);
    report.parts = { ...parts, led: parts.led - led };
    report.whole = Object.values(await page.evaluate(() => window.whole));
    // But for what it had at first, and what it took whole while that was far behind.
    const far = report.whole.filter(({ newer_s, behind_s }) => newer_s > NEWER_S || behind_s > BEHIND_S);
    const inside = ({ from_s, to_s }) => Math.max(0, Math.min(to_s, until_s) - Math.max(from_s, had_s));
    report.rest_s = far.reduce((rest_s, one) => rest_s - inside(one), Math.max(0, until_s - had_s));
    if (parts.led === 0) problem("no part was led to a node");
    // Most of the rest must have come by way of the edge: two thirds, where a part that failed makes a segment whole.
    if (report.parts.led * PART_S < (report.rest_s * 2) / 3) problem(`only ${report.parts.led} parts were led to a node for ${report.rest_s} s`);
    if (parts.other > 0) problem(`${parts.other} parts were asked for at a node`);
    for (const details of await page.evaluate(() => window.fatal)) problem(`hls.js gave up: ${details}`);
  } finally {
    another.close();
  }
});
