// A pass holder watches the first channel: `node steady.mjs READY.json SECONDS`.
//
// Prints `playing` once the picture moves; whatever happens behind the edge from then on, the picture must go on for so many
// seconds of media. Then prints what it saw as JSON; exits 0 when it never stood for want of media, was never moved on and there was no
// discontinuity, else 1.
import { PATIENCE_MS, given, logIn, openFirstChannel, ready, told } from "./viewer.mjs";

const facts = () => {
  const { stats } = window.railbird;
  const { mediaTime, segments, playingDate } = stats;
  return { media_s: mediaTime, segments, playing_ms: Number(new Date(playingDate)), seen: window.seen.length, leaps: window.leaps.length };
};

const [path, seconds] = given("steady.mjs READY.json SECONDS", 2);
await told(async ({ report, problem, person }) => {
  const page = await person(["waiting", "stalled", "pause", "error", "ended"]);
  await logIn(page, await ready(path));
  await openFirstChannel(page);
  const before = await page.evaluate(facts);
  console.log("playing");
  await page
    .waitForFunction(
      (until) => window.railbird.stats.mediaTime >= until,
      before.media_s + Number(seconds),
      { timeout: seconds * 1000 + PATIENCE_MS },
    )
    .catch(() => problem(`the picture did not get ${seconds} s further`));
  const after = await page.evaluate(facts);
  Object.assign(report, { before, after, events: (await page.evaluate(() => window.seen)).slice(before.seen) });
  report.leaps = (await page.evaluate(() => window.leaps)).slice(before.leaps);
  for (const event of report.events) {
    // Who waits with media in hand goes on.
    if (!["waiting", "stalled"].includes(event.type) || event.starves) problem(`${event.type} event at ${event.media_s} s`);
  }
  // hls.js moves a picture only where what is buffered has a hole, however short; one that a busy machine holds up goes on by itself.
  for (const [from_s, to_s] of report.leaps) problem(`from ${from_s} s it leaps to ${to_s} s`);
  if (after.segments <= before.segments) problem("no segment was loaded");
  // Media time and programme time go on alike where there is no discontinuity.
  const skew_ms = after.playing_ms - before.playing_ms - (after.media_s - before.media_s) * 1000;
  if (!(Math.abs(skew_ms) < 100)) problem(`programme time moved ${skew_ms} ms against media time`);
});
