// A pass holder watches a low-latency channel: `node lowlatency.mjs READY.json SECONDS`.
//
// Plays so many seconds of media from parts in one stretch without standing for want of media, and prints `steady`. Whoever runs it then lets the
// encoder come back as another one, and the picture must go on behind the discontinuity for another such stretch; then it prints
// the node in use, which is to fail, and plays a third one of another node. Such a stall only begins the stretch anew, as do whole
// segments: a player with a second in hand stands still where the machine does, and is further behind for a while. At last the page
// is loaded anew and it prints `late`: no media comes until the picture is far behind, and it must come back by itself, with one
// jump; and where the viewer goes back, it must stay. Prints what it saw as JSON, with how far the picture is behind the clock; exits 0 when all was well.
import { PATIENCE_MS, given, logIn, openFirstChannel, playing, ready, told } from "./viewer.mjs";

const facts = () => {
  const { stats } = window.railbird;
  const { mediaTime, stalls, waitingEvents, hedges, retries, jumps } = stats;
  const behind_ms = Date.now() - Number(new Date(stats.playingDate));
  const rate = document.querySelector("video").playbackRate;
  return { media_s: mediaTime, behind_ms, rate, stalls, waiting: waitingEvents, hedges, retries, jumps, seen: window.seen.length };
};

/** Parts that a segment of two seconds has. */
const PARTS = 6;
const MEDIA = /\.m4s$/;
/** Of media that is further behind the clock than this no parts are listed any more: three segments, as RFC 8216bis has it, and
 * what an origin, an edge and a machine take. */
const LISTED_MS = 7_000;
/** How much later than before the picture is made to be: more than the player leaves it by itself. */
const FALLS_MS = 14_000;
/** And how much later it may stay: stalls have taught hls.js to keep a little more in hand. */
const STAYS_MS = 5_000;

const [path, seconds] = given("lowlatency.mjs READY.json SECONDS", 2);
await told(async ({ report, problem, person }) => {
  const demo = await ready(path);
  const page = await person(["waiting", "stalled", "pause", "error", "ended", "seeking"]);
  const asked = { parts: new Set(), segments: new Set(), blocking: 0, deltas: 0, led: 0 };
  page.on("request", (request) => {
    const { origin, pathname, search } = new URL(request.url());
    if (MEDIA.test(pathname) && origin === new URL(demo.edge).origin) asked.led += 1;
    else if (pathname.includes("/_parts/")) asked.parts.add(pathname);
    else if (pathname.endsWith(".m4s")) asked.segments.add(pathname);
    if (search.includes("_HLS_part=")) asked.blocking += 1;
    if (search.includes("_HLS_skip=")) asked.deltas += 1;
  });
  // The player is a few seconds behind what the playlist tells: the stretch that follows plays over it.
  const discontinuity = page.waitForResponse(
    async (response) => /\/source\.m3u8$/.test(new URL(response.url()).pathname) && (await response.text()).includes("#EXT-X-DISCONTINUITY\n"),
    { timeout: 4 * PATIENCE_MS },
  );
  // Whoever fails before it is waited for says why.
  discontinuity.catch(() => {});

  /** Waits for a stretch without a stall, and says what was asked for from its beginning. */
  const stretch = async () => {
    for (const until_ms = Date.now() + PATIENCE_MS + seconds * 1000; ; ) {
      const [before, had] = [await page.evaluate(facts), { parts: asked.parts.size, segments: asked.segments.size }];
      await page.waitForFunction(
        ([until, seen]) => window.railbird.stats.mediaTime >= until || window.seen.slice(seen).some(({ starves }) => starves),
        [before.media_s + Number(seconds), before.seen],
      );
      const after = await page.evaluate(facts);
      const parts = asked.parts.size - had.parts;
      const stalled = await page.evaluate(([from, to]) => window.seen.slice(from, to).some(({ starves }) => starves), [before.seen, after.seen]);
      const segments = asked.segments.size - had.segments;
      // A third of a second each: most of the stretch must have been played of them.
      const far = after.behind_ms > LISTED_MS;
      const few = parts < Number(seconds) || parts <= segments * PARTS;
      if ((stalled || few) && Date.now() < until_ms) continue;
      if (stalled) problem(`the picture never went on for ${seconds} s without a stall`);
      if (few && !far) problem(`only ${parts} parts were asked for in ${seconds} s, and ${segments} segments`);
      return { ...after, parts, segments, far };
    }
  };

  await logIn(page, demo);
  await openFirstChannel(page);
  try {
    report.first = await stretch();
    console.log("steady");
    await discontinuity;
    report.second = await stretch();
    const failing = await page.evaluate(() => window.railbird.stats.node);
    console.log(failing);
    report.third = await stretch();
    const node = await page.evaluate(() => window.railbird.stats.node);
    if (node === failing) problem(`node ${node} has failed and is still in use`);

    // A player that had to jump a moment ago would not do it again so soon.
    await page.reload();
    await playing(page);
    console.log("late");
    const { jumps, behind_ms } = await page.evaluate(facts);
    const [far_ms, near_ms] = [behind_ms + FALLS_MS, behind_ms + STAYS_MS];
    const held = [];
    await page.route(MEDIA, (route) => void held.push(route));
    await page.waitForFunction((far) => Date.now() - Number(new Date(window.railbird.stats.playingDate)) > far, far_ms);
    await page.unroute(MEDIA);
    // The player has given some of them up.
    for (const route of held) route.continue().catch(() => {});
    await page.waitForFunction((near) => Date.now() - Number(new Date(window.railbird.stats.playingDate)) < near, near_ms);
    report.late = await page.evaluate(facts);
    if (report.late.jumps !== jumps + 1) problem(`it jumped ${report.late.jumps - jumps} times to come back`);
    // Who goes back wants to be there.
    await page.keyboard.press("ArrowLeft");
    await page.keyboard.press("ArrowLeft");
    const from_s = (await page.evaluate(facts)).media_s;
    await page.waitForFunction((until) => window.railbird.stats.mediaTime >= until, from_s + Number(seconds));
    report.back = await page.evaluate(facts);
    if (report.back.jumps !== report.late.jumps) problem("it jumped away from where the viewer went");
    if (report.back.rate !== 1) problem(`it plays ${report.back.rate} times as fast where the viewer went`);
    if (report.back.behind_ms < near_ms) problem("it is live although the viewer went back");
  } finally {
    report.asked = { parts: asked.parts.size, segments: asked.segments.size, blocking: asked.blocking, deltas: asked.deltas };
    report.moments = await page.evaluate(() => window.railbird.stats.moments);
  }
  if (asked.led > 0) problem(`the edge was asked for ${asked.led} parts, which are at nodes`);
  if (asked.blocking === 0) problem("no playlist was waited for");
});
