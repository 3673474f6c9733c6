// A pass holder's session ends in the middle of a programme: `node relogin.mjs READY.json SHOT.png`.
//
// The browser forgets the session while the picture moves. The login must come over the picture, a wrong password must not
// end anything, and after the right one the picture must go on from where it is, without a jump on the way. Prints what it
// saw as JSON and keeps a picture of the login over the picture; exits 0 when all was well, else 1.
//
// Whether the picture had to wait for the login depends on how quickly a person, or a busy machine, types: it is told only.
import { given, logIn, openFirstChannel, ready, told } from "./viewer.mjs";

/** Seconds of media that must play after the login: more than can have been buffered before it. */
const WATCHED_S = 12;

/** How much further than time the picture may go from one event to the next, in seconds: events come a little late. */
const JUMP_S = 0.5;

const facts = () => ({ media_s: window.railbird.stats.mediaTime, seen: window.seen.length });

const [path, shot] = given("relogin.mjs READY.json SHOT.png", 2);
await told(async ({ report, problem, person }) => {
  const page = await person(["timeupdate", "waiting", "pause", "seeking", "error", "ended", "emptied"]);
  const demo = await ready(path);
  await logIn(page, demo);
  await openFirstChannel(page);
  const before = await page.evaluate(facts);
  await page.context().clearCookies();
  // With the keyboard, which must be in the first field already.
  await page.getByTestId("email").waitFor();
  await page.screenshot({ path: shot });
  await page.keyboard.type(demo.email);
  await page.keyboard.press("Tab");
  await page.keyboard.type("not the password");
  await page.keyboard.press("Enter");
  await page.getByText("E-mail or password is not right.").waitFor();
  await page.keyboard.type(demo.password);
  await page.keyboard.press("Enter");
  await page.getByTestId("email").waitFor({ state: "detached" }).catch(async (error) => {
    const said = await page.getByTestId("message").textContent();
    throw new Error(`${await page.getByTestId("email").inputValue()} was not let in: ${said} ${error.message}`);
  });
  const back = await page.evaluate(facts);
  await page.waitForFunction((until) => window.railbird.stats.mediaTime >= until, back.media_s + WATCHED_S);
  const events = (await page.evaluate(() => window.seen)).slice(before.seen);
  Object.assign(report, { before, back, events: events.filter(({ type }) => type !== "timeupdate") });
  for (const { type, media_s } of report.events) {
    if (["pause", "error", "ended", "emptied"].includes(type)) problem(`${type} event at ${media_s} s`);
  }
  for (const [n, { media_s, at_ms }] of events.entries()) {
    const last = events[n - 1] ?? { media_s, at_ms };
    const jump_s = media_s - last.media_s;
    if (jump_s < -JUMP_S || jump_s > (at_ms - last.at_ms) / 1000 + JUMP_S) problem(`it jumped from ${last.media_s} s to ${media_s} s`);
  }
});
