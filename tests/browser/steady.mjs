// A pass holder watches the first channel: `node steady.mjs READY.json SECONDS`.
//
// Prints `playing` once the picture moves; whatever happens behind the edge from then on, the picture must go on for so many
// seconds of media. Then prints what it saw as JSON; exits 0 when there was no `waiting` event, no stall and no
// discontinuity, else 1.
import { PATIENCE_MS, given, logIn, openFirstChannel, ready, told } from "./viewer.mjs";

const facts = () => {
  const { stats } = window.railbird;
  const { mediaTime, stalls, waitingEvents, segments, playingDate } = stats;
  return { media_s: mediaTime, stalls, waiting: waitingEvents, segments, playing_ms: Number(new Date(playingDate)), seen: window.seen.length };
};

const [path, seconds] = given("steady.mjs READY.json SECONDS", 2);
await told(async ({ report, problem, person }) => {
  const page = await person(["waiting", "stalled", "pause", "error", "ended", "seeking"]);
  await logIn(page, await ready(path));
  await openFirstChannel(page);
  const before = await page.evaluate(facts);
  console.log("playing");
  await page
    .waitForFunction(
      (until) => window.railbird.stats.mediaTime >= until || window.railbird.stats.waitingEvents > 0,
      before.media_s + Number(seconds),
      { timeout: seconds * 1000 + PATIENCE_MS },
    )
    .catch(() => problem(`the picture did not get ${seconds} s further`));
  const after = await page.evaluate(facts);
  Object.assign(report, { before, after, events: (await page.evaluate(() => window.seen)).slice(before.seen) });
  for (const event of report.events) problem(`${event.type} event at ${event.media_s} s`);
  if (after.waiting > before.waiting) problem("the player counted a waiting event");
  if (after.stalls > before.stalls) problem("hls.js reported a stall");
  if (after.segments <= before.segments) problem("no segment was loaded");
  // Media time and programme time go on alike where there is no discontinuity.
  const skew_ms = after.playing_ms - before.playing_ms - (after.media_s - before.media_s) * 1000;
  if (!(Math.abs(skew_ms) < 100)) problem(`programme time moved ${skew_ms} ms against media time`);
});
