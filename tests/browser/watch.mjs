// A pass holder watches while a node dies: `node watch.mjs READY.json`.
//
// Logs in, opens the first channel, sees the score change, then takes down the node that serves the picture and watches
// 20 seconds of media go by. Prints what it saw as JSON; exits 0 when the picture never stood for want of media, was never moved on
// and another node took over, else 1.
import { PATIENCE_MS, given, logIn, node, openFirstChannel, ready, told } from "./viewer.mjs";

/** Seconds of media that must play without a stall once the node is down. */
const WATCHED_S = 20;

/** Runs before the page's own script: what the page shows of the score. */
function showScore() {
  const figures = ["score-points-0", "score-points-1", "score-inning"];
  const text = (id) => document.querySelector(`[data-testid="${id}"]`)?.textContent ?? "";
  Object.defineProperty(window, "score", { value: () => figures.map(text).join(" ") });
}

const facts = () => {
  const { stats } = window.railbird;
  return {
    media_s: stats.mediaTime,
    node: stats.node,
    stalls: stats.stalls,
    waiting: stats.waitingEvents,
    retries: stats.retries,
    reroutes: stats.reroutes,
    segments: stats.segments,
    buffered_s: stats.buffered,
    latency_s: stats.latency,
    playing_date: stats.playingDate,
    seen: window.seen.length,
    leaps: window.leaps.length,
  };
};

const [path] = given("watch.mjs READY.json", 1);
await told(async ({ report, problem, person }) => {
  const demo = await ready(path);
  let killed = null;
  try {
    const page = await person(["waiting", "stalled", "playing", "pause", "error", "ended"]);
    await page.addInitScript(showScore);
    await logIn(page, demo);
    await openFirstChannel(page);

    await page.getByTestId("score").waitFor();
    const first = await page.evaluate(() => window.score());
    await page
      .waitForFunction((was) => window.score() !== was, first, { timeout: 2 * PATIENCE_MS })
      .catch(() => problem(`the score stayed "${first}"`));
    report.score = { first, then: await page.evaluate(() => window.score()) };

    const before = await page.evaluate(facts);
    report.before = before;
    killed = before.node;
    const shown = await page.getByTestId("node").getAttribute("data-node");
    if (shown !== killed) problem(`the page shows node ${shown}, the player uses ${killed}`);
    await node(demo.origin, killed, "down");
    // The media clock, not ours: a picture that stands still doesn't bring us nearer to the end.
    await page
      .waitForFunction(
        (until) => window.railbird.stats.mediaTime >= until,
        before.media_s + WATCHED_S,
        { timeout: WATCHED_S * 1000 + PATIENCE_MS },
      )
      .catch(() => problem(`the picture did not get ${WATCHED_S} s further`));
    const after = await page.evaluate(facts);
    report.after = after;
    report.events = (await page.evaluate(() => window.seen)).slice(before.seen);
    report.leaps = (await page.evaluate(() => window.leaps)).slice(before.leaps);
    report.errors = await page.evaluate(() => window.railbird.stats.errors);

    for (const event of report.events) {
      if (["error", "pause", "ended"].includes(event.type) || event.starves) problem(`${event.type} event at ${event.media_s} s`);
    }
    // hls.js moves a picture only where what is buffered has a hole, however short; one that a busy machine holds up goes on by itself.
    for (const [from_s, to_s] of report.leaps) problem(`from ${from_s} s it leaps to ${to_s} s`);
    if (after.media_s - before.media_s < WATCHED_S) problem(`only ${after.media_s - before.media_s} s were played`);
    if (after.node === killed) problem(`node ${killed} is down and still shown as the one in use`);
    if (after.segments <= before.segments) problem("no segment was loaded after the node went down");
    const now = await page.getByTestId("node").getAttribute("data-node");
    if (now !== after.node) problem(`the page shows node ${now}, the player uses ${after.node}`);
  } finally {
    if (killed !== null) await node(demo.origin, killed, "up").catch((error) => problem(String(error.message)));
  }
});
