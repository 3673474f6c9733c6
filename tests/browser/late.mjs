// Renditions begin and vanish while somebody watches: `node late.mjs READY.json`.
//
// The first channel has one rendition. Says `watching` once its picture moves. When lower ones begin, they must be there to choose from on
// the page as it is, and the picture goes on where it was, within a segment, after one renewal at most; the lowest is
// chosen then, and `chosen` said once it plays. When that is gone, the page must play what there is by itself. Prints what it saw
// as JSON; exits 0 when all was well, else 1.
import { given, logIn, openFirstChannel, ready, told } from "./viewer.mjs";

/** The picture goes on so near to where it was, in milliseconds of media time. */
const NEAR_MS = 1_000;

/** Run in the page: keeps each pair of dates, one shown after the other, that lie further apart than this, and than the time between them. */
function watchDates(near_ms) {
  window.jumps = [];
  let [last, last_ms] = [null, 0];
  document.querySelector("video").addEventListener("timeupdate", ({ target }) => {
    const shown = target.seeking || target.readyState < 2 ? Number.NaN : Date.parse(window.railbird.stats.playingDate);
    if (Number.isNaN(shown)) return;
    const now_ms = performance.now();
    if (last !== null && (shown < last - 250 || shown > last + near_ms + (now_ms - last_ms))) window.jumps.push([last, shown]);
    [last, last_ms] = [shown, now_ms];
  });
}

const [path] = given("late.mjs READY.json", 1);
await told(async ({ report, problem, person }) => {
  const page = await person([]);
  const until = async (so, arg) => (await page.waitForFunction(so, arg)).dispose();
  const quality = page.getByTestId("quality");
  const facts = () => page.evaluate(() => ({ renewals: window.railbird.stats.renewals, jumps: window.jumps, same: window.same === true }));
  await logIn(page, await ready(path));
  await openFirstChannel(page);
  await page.evaluate(() => {
    window.same = true;
  });
  await page.evaluate(watchDates, NEAR_MS);
  report.before = await quality.locator("option").allTextContents();
  if (report.before.length > 1) problem("there is a choice before there is one");
  console.log("watching");

  await quality.locator("option[value='90']").waitFor({ state: "attached" });
  report.choices = await quality.locator("option").allTextContents();
  await until(() => {
    const { paused, readyState } = document.querySelector("video");
    return !paused && readyState >= 3;
  });
  report.begun = await facts();
  if (report.begun.renewals !== 1) problem(`the presentation was taken ${report.begun.renewals} times`);
  if (report.begun.jumps.length > 0) problem("the picture did not go on where it was");
  await quality.selectOption("90");
  await until(() => document.querySelector("video").videoHeight === 90);
  console.log("chosen");

  await until(() => document.querySelector("video").videoHeight === 180);
  // What is only less is taken later than what is more: it may be there again soon.
  await until(() => window.railbird.stats.renewals >= 2);
  const { renewals, same } = await facts();
  report.vanished = { renewals, choices: await quality.locator("option").allTextContents() };
  if (!same) problem("the page was loaded again");
});
