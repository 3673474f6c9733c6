// A pass holder's session ends in the middle of a programme: `node relogin.mjs READY.json SHOT.png`.
//
// The browser forgets the session while the picture moves. The login must come over the picture, a wrong password must not
// end anything, and after the right one the picture must go on from where it is, without a wait or a jump on the way. Prints
// what it saw as JSON and keeps a picture of the login over the picture; exits 0 when all was well, else 1.
import { browser, logIn, open, openFirstChannel, ready } from "./viewer.mjs";

/** Seconds of media that must play after the login: more than can have been buffered before it. */
const WATCHED_S = 12;

/** Runs before the page's own script: keeps what the media element says. */
function record() {
  const seen = [];
  Object.defineProperty(window, "seen", { value: seen });
  for (const type of ["waiting", "pause", "seeking", "error", "ended", "emptied"]) {
    const keep = ({ target }) => {
      if (target instanceof HTMLVideoElement) seen.push({ type, media_s: target.currentTime });
    };
    document.addEventListener(type, keep, true);
  }
}

const facts = () => ({ media_s: window.railbird.stats.mediaTime, seen: window.seen.length });

async function watch(path, shot) {
  const report = { ok: false, problems: [] };
  const problem = (text) => report.problems.push(text);
  const chromium = await browser();
  try {
    const context = await chromium.newContext({ viewport: { width: 1280, height: 800 } });
    const { page, faults } = await open(context);
    await page.addInitScript(record);
    const demo = await ready(path);
    await logIn(page, demo);
    await openFirstChannel(page);
    const before = await page.evaluate(facts);
    await context.clearCookies();
    // With the keyboard, which must be in the first field already.
    await page.getByTestId("email").waitFor();
    await page.screenshot({ path: shot });
    await page.keyboard.type(demo.email);
    await page.keyboard.press("Tab");
    await page.keyboard.type("not the password");
    await page.keyboard.press("Enter");
    await page.waitForFunction(() => document.querySelector('[data-testid="message"]').textContent.includes("not right"));
    await page.keyboard.type(demo.password);
    await page.keyboard.press("Enter");
    await page.getByTestId("email").waitFor({ state: "detached" });
    const back = await page.evaluate(facts);
    await page.waitForFunction((until) => window.railbird.stats.mediaTime >= until, back.media_s + WATCHED_S);
    Object.assign(report, { before, back, events: (await page.evaluate(() => window.seen)).slice(before.seen) });
    for (const { type, media_s } of report.events) problem(`${type} event at ${media_s} s`);
    for (const fault of faults) problem(fault);
  } catch (error) {
    problem(String(error?.message ?? error));
  } finally {
    await chromium.close();
  }
  report.ok = report.problems.length === 0;
  return report;
}

const [path, shot] = process.argv.slice(2);
if (shot === undefined) {
  console.error("usage: node relogin.mjs READY.json SHOT.png");
  process.exit(2);
}
const report = await watch(path, shot);
console.log(JSON.stringify(report, null, 2));
process.exitCode = report.ok ? 0 : 1;
