// A pass holder goes back in time: `node replay.mjs READY.json over|replay SECONDS SHOT.png`.
//
// `over`: opens the first channel, which is live, and presses "Start over". `replay`: opens the newest replay from the list of
// channels. Either way the picture must begin where the recording does; `over` watches so many seconds of media, `replay`
// to the recording's end, which lies there. Prints what it saw as JSON and keeps a picture of it; exits 0 when it got there
// without a jump, else 1. Whether it had to wait on the way is told only: a busy machine makes it.
import { PATIENCE_MS, given, logIn, openFirstChannel, playing, ready, told } from "./viewer.mjs";

/** Where a picture may begin and end, in seconds: a segment's first frame is not at its very start for every decoder. */
const NEAR_S = 0.5;

const facts = () => {
  const video = document.querySelector("video");
  const { seekable } = video;
  const from = seekable.length > 0 ? seekable.start(0) : Number.NaN;
  return { media_s: video.currentTime, from_s: from, length_s: video.duration, stalls: window.railbird.stats.stalls, seen: window.seen.length };
};

const [path, what, seconds, shot] = given("replay.mjs READY.json over|replay SECONDS SHOT.png", 4);
await told(async ({ report, problem, person }) => {
  const page = await person(["waiting", "stalled", "seeking", "error", "ended"]);
  await logIn(page, await ready(path));
  if (what === "over") {
    await openFirstChannel(page);
    await page.getByTestId("start-over").click();
    await page.waitForFunction((near) => {
      const { currentTime, seekable, paused } = document.querySelector("video");
      return !paused && seekable.length > 0 && currentTime > 0 && currentTime < seekable.start(0) + 4 * near + 2;
    }, NEAR_S);
  } else {
    await page.getByTestId("replay").first().click();
    await page.waitForURL((url) => /^\/watch\/[^/]+\/[^/]+$/.test(url.pathname));
    await playing(page);
  }
  const before = await page.evaluate(facts);
  if (!(before.media_s - before.from_s < 3)) problem(`it begins ${before.media_s - before.from_s} s after the recording`);
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
  for (const { type, media_s } of report.events.slice(before.seen)) {
    // Before that the picture jumped to what is live, and to the start; from there on hls.js jumps over what it can't play.
    if (type === "error" || type === "seeking") problem(`${type} event at ${media_s} s`);
  }
  await page.screenshot({ path: shot });
});
