// A pass holder watches while a node fails in some way: `node outlast.mjs READY.json SECONDS`.
//
// Prints `playing` once the picture moves, then the node that it comes from; whoever started this lets that node fail then.
// The picture must go on for so many seconds of media, from another node. Then prints what it saw as JSON: for how long the
// picture stood, and how many bytes came of nothing. Exits 0 when the picture got there and came from another node at the end,
// else 1. Whether the player asked the other one first or the edge sent it there is chance: `hedges` tells.
import { PATIENCE_MS, given, logIn, openFirstChannel, ready, told } from "./viewer.mjs";

const facts = () => {
  const { mediaTime, node, segments, hedges, mediaBytes, extraBytes, stalls } = window.railbird.stats;
  const now = { media_s: mediaTime, at_ms: performance.now(), seen: window.seen.length };
  return { ...now, node, segments, hedges, media_bytes: mediaBytes, extra_bytes: extraBytes, stalls };
};

/** For how long the picture waited, by the media element's own events. */
function waited(events, until_ms) {
  let [sum_ms, since_ms] = [0, null];
  for (const { type, at_ms } of events) {
    if (type === "waiting") since_ms ??= at_ms;
    else if (type === "playing" && since_ms !== null) [sum_ms, since_ms] = [sum_ms + at_ms - since_ms, null];
  }
  return sum_ms + (since_ms === null ? 0 : until_ms - since_ms);
}

const [path, seconds] = given("outlast.mjs READY.json SECONDS", 2);
await told(async ({ report, problem, person }) => {
  const page = await person(["waiting", "playing", "seeking", "pause", "error"]);
  await logIn(page, await ready(path));
  await openFirstChannel(page);
  const before = await page.evaluate(facts);
  console.log(`playing\n${before.node}`);
  await page
    .waitForFunction((end) => window.railbird.stats.mediaTime >= end, before.media_s + Number(seconds), {
      timeout: seconds * 1000 + PATIENCE_MS,
      polling: "raf",
    })
    .catch(() => problem(`the picture did not get ${seconds} s further`));
  const after = await page.evaluate(facts);
  const more = (name) => after[name] - before[name];
  const events = (await page.evaluate(() => window.seen)).slice(before.seen);
  Object.assign(report, {
    node: before.node,
    then: after.node,
    // What the clock on the wall went on by, and the picture did not.
    stood_ms: Math.max(0, Math.round(more("at_ms") - more("media_s") * 1000)),
    waiting_ms: Math.round(waited(events, after.at_ms)),
    stalls: more("stalls"),
    hedges: more("hedges"),
    segments: more("segments"),
    media_bytes: more("media_bytes"),
    extra_bytes: more("extra_bytes"),
    extra_percent: Number(((100 * more("extra_bytes")) / more("media_bytes")).toFixed(2)),
    events,
  });
  if (after.node === before.node) problem(`node ${before.node} fails and is still the one in use`);
});
