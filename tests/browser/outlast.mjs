// A pass holder watches while a node fails in some way: `node outlast.mjs READY.json SECONDS`.
//
// Prints `playing` once the picture moves, then the node that it comes from; whoever started this lets that node fail then.
// The picture must go on for so many seconds of media, from another node. Then prints what it saw as JSON: for how long the
// picture stood, and how many bytes came of nothing. Exits 0 when the picture got there and another node was asked, else 1.
import { PATIENCE_MS, browser, logIn, open, openFirstChannel, ready } from "./viewer.mjs";

/** Runs before the page's own script: adds up for how long the picture stood. */
function record() {
  const stood = { waiting_ms: 0, since_ms: null, events: [] };
  Object.defineProperty(window, "stood", { value: stood });
  const on = (type, then) =>
    document.addEventListener(
      type,
      ({ target }) => {
        if (!(target instanceof HTMLVideoElement)) return;
        stood.events.push({ type, media_s: target.currentTime });
        then();
      },
      true,
    );
  const moves = () => {
    if (stood.since_ms !== null) stood.waiting_ms += performance.now() - stood.since_ms;
    stood.since_ms = null;
  };
  on("waiting", () => (stood.since_ms ??= performance.now()));
  on("playing", moves);
  on("seeking", () => {});
  on("error", () => {});
}

const facts = () => {
  const { stats } = window.railbird;
  const { mediaTime, node, segments, hedges, retries, mediaBytes, extraBytes, stalls } = stats;
  const { waiting_ms, events } = window.stood;
  const seen = { waiting_ms, events: events.length, at_ms: performance.now() };
  return { media_s: mediaTime, node, segments, hedges, retries, media_bytes: mediaBytes, extra_bytes: extraBytes, stalls, ...seen };
};

async function watch(path, seconds) {
  const report = { ok: false, problems: [] };
  const problem = (text) => report.problems.push(text);
  const chromium = await browser();
  try {
    const context = await chromium.newContext({ viewport: { width: 1280, height: 800 } });
    const { page, faults } = await open(context);
    await page.addInitScript(record);
    await logIn(page, await ready(path));
    await openFirstChannel(page);
    const before = await page.evaluate(facts);
    console.log(`playing\n${before.node}`);
    const until = before.media_s + seconds;
    await page
      .waitForFunction((end) => window.railbird.stats.mediaTime >= end, until, { timeout: seconds * 1000 + PATIENCE_MS, polling: "raf" })
      .catch(() => problem(`the picture did not get ${seconds} s further`));
    const after = await page.evaluate(facts);
    const media_bytes = after.media_bytes - before.media_bytes;
    const extra_bytes = after.extra_bytes - before.extra_bytes;
    Object.assign(report, {
      node: before.node,
      then: after.node,
      // What the clock on the wall went on by, and the picture did not.
      stood_ms: Math.max(0, Math.round(after.at_ms - before.at_ms - (after.media_s - before.media_s) * 1000)),
      waiting_ms: Math.round(after.waiting_ms - before.waiting_ms),
      stalls: after.stalls - before.stalls,
      hedges: after.hedges - before.hedges,
      segments: after.segments - before.segments,
      media_bytes,
      extra_bytes,
      extra_percent: Number(((100 * extra_bytes) / media_bytes).toFixed(2)),
      events: (await page.evaluate(() => window.stood.events)).slice(before.events),
    });
    if (report.hedges === 0) problem("no other node was asked");
    if (after.node === before.node) problem(`node ${before.node} fails and is still the one in use`);
    if (report.segments === 0) problem("no segment was loaded");
    for (const fault of faults) problem(fault);
  } catch (error) {
    problem(String(error?.message ?? error));
  } finally {
    await chromium.close();
  }
  report.ok = report.problems.length === 0;
  return report;
}

const [path, seconds] = process.argv.slice(2);
if (path === undefined || !(Number(seconds) > 0)) {
  console.error("usage: node outlast.mjs READY.json SECONDS");
  process.exit(2);
}
const report = await watch(path, Number(seconds));
console.log(JSON.stringify(report));
process.exitCode = report.ok ? 0 : 1;
