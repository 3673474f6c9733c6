// A pass holder goes back in time: `node replay.mjs READY.json over|replay SECONDS SHOT.png`.
//
// `over`: opens the first channel, which is live, and presses "Start over". `replay`: opens the newest replay from the list of
// channels. Either way the picture must begin where the recording does; `over` watches so many seconds of media, `replay`
// to the recording's end, which lies there. Prints what it saw as JSON and keeps a picture of it; exits 0 when it got there
// without a jump, else 1. Whether it had to wait on the way is told only: a busy machine makes it.
import { LEAP_S, PATIENCE_MS, given, logIn, openFirstChannel, playing, ready, told } from "./viewer.mjs";

/** Where a picture may begin and end, in seconds: a segment's first frame is not at its very start for every decoder. */
const NEAR_S = 0.5;
/** It begins no further behind the recording's beginning than this, in seconds. */
const BEGINS_S = 3;

const facts = () => {
  const video = document.querySelector("video");
  const { seekable } = video;
  const from = seekable.length > 0 ? seekable.start(0) : Number.NaN;
  return { media_s: video.currentTime, from_s: from, length_s: video.duration, stalls: window.railbird.stats.stalls, seen: window.seen.length, leaps: window.leaps.length };
};

/** Whether the picture went on, behind so many events, near the recording's beginning: it may be far from there by now. */
const begins = ([seen, near_s]) => {
  const { paused, seekable } = document.querySelector("video");
  const went = ({ type, media_s }) => (type === "playing" || type === "seeked") && media_s < seekable.start(0) + near_s;
  return !paused && seekable.length > 0 && window.seen.slice(seen).some(went);
};

const [path, what, seconds, shot] = given("replay.mjs READY.json over|replay SECONDS SHOT.png", 4);
await told(async ({ report, problem, person }) => {
  const page = await person(["waiting", "stalled", "playing", "seeked", "error", "ended"]);
  await logIn(page, await ready(path));
  let seen = 0;
  if (what === "over") {
    await openFirstChannel(page);
    ({ seen } = await page.evaluate(facts));
    await page.getByTestId("start-over").click();
  } else {
    await page.getByTestId("replay").first().click();
    await page.waitForURL((url) => /^\/watch\/[^/]+\/[^/]+$/.test(url.pathname));
    await playing(page);
  }
  await page.waitForFunction(begins, [seen, BEGINS_S]).catch(() => problem("it does not begin where the recording does"));
  const before = await page.evaluate(facts);
  const goal = before.from_s + Number(seconds) - (what === "over" ? 0 : NEAR_S);
  await page
    .waitForFunction(
      ([until, to_end]) => {
        const video = document.querySelector("video");
        return video.currentTime >= until && (!to_end || video.ended);
      },
      [goal, what === "replay"],
      { timeout: seconds * 1000 + PATIENCE_MS },
    )
    .catch(() => problem(`the picture did not get to ${goal} s`));
  const after = await page.evaluate(facts);
  Object.assign(report, { before, after, events: await page.evaluate(() => window.seen) });
  if (what === "replay" && Math.abs(after.length_s - seconds) > NEAR_S) problem(`the replay has ${after.length_s} s`);
  for (const { type, media_s } of report.events.slice(before.seen)) if (type === "error") problem(`${type} event at ${media_s} s`);
  // Before that the picture jumped to what is live, and to the start; from there on hls.js jumps over what it can't play.
  for (const [from_s, to_s] of (await page.evaluate(() => window.leaps)).slice(before.leaps)) {
    if (Math.abs(to_s - from_s) > LEAP_S) problem(`from ${from_s} s it leaps to ${to_s} s`);
  }
  await page.screenshot({ path: shot });
});
