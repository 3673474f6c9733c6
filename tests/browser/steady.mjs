// A pass holder watches the first channel: `node steady.mjs READY.json SECONDS`.
//
// Prints `playing` once the picture moves; whatever happens behind the edge from then on, the picture must go on for so many
// seconds of media. Then prints what it saw as JSON; exits 0 when there was no `waiting` event, no stall and no
// discontinuity, else 1.
import { PATIENCE_MS, browser, logIn, open, openFirstChannel, ready } from "./viewer.mjs";

/** Runs before the page's own script: keeps what the media element says. */
function record() {
  const seen = [];
  Object.defineProperty(window, "seen", { value: seen });
  for (const type of ["waiting", "stalled", "pause", "error", "ended", "seeking"]) {
    const keep = ({ target }) => {
      if (target instanceof HTMLVideoElement) seen.push({ type, media_s: target.currentTime });
    };
    document.addEventListener(type, keep, true);
  }
}

const facts = () => {
  const { stats } = window.railbird;
  const { mediaTime, stalls, waitingEvents, segments, playingDate } = stats;
  return { media_s: mediaTime, stalls, waiting: waitingEvents, segments, playing_ms: Number(new Date(playingDate)), seen: window.seen.length };
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
    console.log("playing");
    await page
      .waitForFunction(
        (until) => window.railbird.stats.mediaTime >= until || window.railbird.stats.waitingEvents > 0,
        before.media_s + seconds,
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
  console.error("usage: node steady.mjs READY.json SECONDS");
  process.exit(2);
}
const report = await watch(path, Number(seconds));
console.log(JSON.stringify(report, null, 2));
process.exitCode = report.ok ? 0 : 1;
