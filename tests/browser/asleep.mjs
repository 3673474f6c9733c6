// A phone that sleeps: `node asleep.mjs WHIP CHANNEL KEY`.
//
// The origin's page sends what Chromium's fake camera shows. Its camera is taken away and comes again by itself, or with a tap where the
// phone wants one; the page is frozen while its session ends; it is left and shown again. Each time it sends again, and its button and its
// sentence say what is. Prints a report; exits 0 when all was well.
import { PATIENCE_MS, browser, given, open } from "./viewer.mjs";

const [whip, channel, key] = given("asleep.mjs WHIP CHANNEL KEY", 3);
const report = { ok: false, problems: [] };
const problem = (text) => report.problems.push(text);

const chromium = await browser([
  "--use-fake-device-for-media-stream",
  "--use-fake-ui-for-media-stream",
  "--allow-loopback-in-peer-connection",
]);

/** How many pictures the connection of now has sent; none before there is one. */
const sent = (page) =>
  page.evaluate(async () => {
    const connection = railbird.publisher?.connection;
    if (!connection || connection.connectionState !== "connected") return 0;
    let count = 0;
    for (const one of (await connection.getStats()).values()) {
      if (one.type === "outbound-rtp" && one.kind === "video") count = one.framesSent ?? 0;
    }
    return count;
  });

/** Waits until more pictures are sent than by now, by the same connection or a new one. */
async function goesOn(page, what, from) {
  const end = Date.now() + PATIENCE_MS;
  for (;;) {
    const now = await sent(page);
    if (now >= from + 20) return now;
    if (Date.now() > end) throw new Error(`${what}: nothing is sent: ${await page.locator("#state").textContent()}`);
    await page.waitForTimeout(100);
  }
}

/** Waits until the page says this, and has these buttons. */
async function says(page, state, texts) {
  await page.waitForFunction((wanted) => document.querySelector("#state").dataset.state === wanted, state);
  const buttons = await page.locator("button:visible").allTextContents();
  if (buttons.join("|") !== texts.join("|")) problem(`${state}: it has the buttons ${buttons.join(", ")}`);
}

const session = (page) => page.evaluate(() => railbird.publisher?.session);

try {
  const context = await chromium.newContext({ viewport: { width: 390, height: 844 } });
  const { page, faults } = await open(context);
  const phone = await context.newCDPSession(page);
  await page.goto(`${whip}/camera/${channel}#key=${encodeURIComponent(key)}`);
  await says(page, "", ["Start sending"]);
  await page.locator("#quality").selectOption("540");
  await page.locator("#send").click();
  await says(page, "live", ["Stop sending"]);
  let count = await goesOn(page, "at first", 0);
  const first = await session(page);

  // The camera is taken away, and is there again at once.
  const taken = () =>
    page.evaluate(() => {
      const track = railbird.tracks.get("video");
      track.stop();
      track.dispatchEvent(new Event("ended"));
      window.gone = track;
    });
  await taken();
  await page.waitForFunction(() => railbird.tracks.get("video") !== window.gone && railbird.tracks.get("video").readyState === "live");
  await says(page, "live", ["Stop sending"]);
  count = await goesOn(page, "after the camera came again", await sent(page));

  // It is taken away, and not given back until somebody taps.
  await page.evaluate(() => {
    const devices = navigator.mediaDevices;
    window.given = devices.getUserMedia.bind(devices);
    devices.getUserMedia = () => Promise.reject(new DOMException("not now", "NotReadableError"));
  });
  await taken();
  await says(page, "asleep", ["Go on", "Stop sending"]);
  await page.locator("#send").click();
  await page.waitForFunction(() => document.querySelector("#state").textContent.includes("in use by another program"));
  await says(page, "asleep", ["Go on", "Stop sending"]);
  await page.evaluate(() => {
    navigator.mediaDevices.getUserMedia = window.given;
  });
  await page.locator("#send").click();
  await says(page, "live", ["Stop sending"]);
  await goesOn(page, "after a tap", await sent(page));

  // Another camera is chosen, and can't be opened: no picture is sent, and the page says so.
  await page.evaluate(() => {
    navigator.mediaDevices.getUserMedia = () => Promise.reject(new DOMException("not now", "NotReadableError"));
  });
  await page.evaluate(() => document.querySelector("#camera").dispatchEvent(new Event("change")));
  await says(page, "asleep", ["Go on", "Stop sending"]);
  const trouble = await page.locator("#state").textContent();
  if (!trouble.includes("in use by another program")) problem(`a camera that can't be opened is told: ${trouble}`);
  await page.evaluate(() => {
    navigator.mediaDevices.getUserMedia = window.given;
  });
  await page.locator("#send").click();
  await says(page, "live", ["Stop sending"]);
  await goesOn(page, "after another camera", await sent(page));

  // It is muted for a while, as in a call.
  await page.evaluate(() => railbird.tracks.get("video").dispatchEvent(new Event("mute")));
  await says(page, "asleep", ["Go on", "Stop sending"]);
  await page.evaluate(() => railbird.tracks.get("video").dispatchEvent(new Event("unmute")));
  await says(page, "live", ["Stop sending"]);

  // The network comes back while ICE is being restarted: it is restarted once more, afterwards. That it may be faster restarts nothing.
  await page.evaluate(() => {
    navigator.connection?.dispatchEvent(new Event("change"));
    const asked = window.fetch;
    window.fetch = async (...what) => {
      window.fetch = asked;
      dispatchEvent(new Event("online"));
      await new Promise((then) => setTimeout(then));
      return asked(...what);
    };
    dispatchEvent(new Event("online"));
  });
  await page.waitForFunction(() => railbird.publisher?.restarts === 2);
  await says(page, "live", ["Stop sending"]);
  await goesOn(page, "after it was restarted twice", await sent(page));
  const restarts = await page.evaluate(() => railbird.publisher?.restarts);
  if (restarts !== 2) problem(`ICE was restarted ${restarts} times`);
  if ((await session(page)) !== first) problem("it began another session, which nothing needed");

  // The phone is locked, and the origin has given the session up meanwhile.
  await phone.send("Page.setWebLifecycleState", { state: "frozen" });
  const headers = { authorization: `Bearer ${key}` };
  const ended = await fetch(first, { method: "DELETE", headers });
  if (!ended.ok) problem(`the session can't be ended: ${ended.status}`);
  await phone.send("Page.setWebLifecycleState", { state: "active" });
  await page.waitForFunction((old) => ![undefined, old].includes(railbird.publisher?.session), first);
  await says(page, "live", ["Stop sending"]);
  await goesOn(page, "after it was frozen", 0);

  // Everything is muted, and stays so: the feed is ended, and begins again with what wakes.
  const all = (event) =>
    page.evaluate((name) => railbird.tracks.forEach((track) => track.dispatchEvent(new Event(name))), event);
  await all("mute");
  await says(page, "asleep", ["Go on", "Stop sending"]);
  await page.waitForFunction(() => railbird.publisher === undefined);
  await says(page, "asleep", ["Go on", "Stop sending"]);
  await all("unmute");
  await says(page, "live", ["Stop sending"]);
  await goesOn(page, "after everything was muted", 0);

  // The page is left, and shown again as it was.
  const second = await session(page);
  await page.evaluate(() => dispatchEvent(new PageTransitionEvent("pagehide", { persisted: true })));
  const end = Date.now() + PATIENCE_MS;
  for (;;) {
    // Of a session that is there it says that something is missing, and of one that is over, why.
    const answer = await fetch(second, { method: "PATCH", headers: { ...headers, "content-type": "application/trickle-ice-sdpfrag" } });
    const text = await answer.text();
    if (answer.status === 404 && /the encoder (ended the feed|closed the connection)/.test(text)) break;
    if (answer.status !== 428 || Date.now() > end) throw new Error(`the session of a page that was left: ${answer.status} ${text}`);
    await page.waitForTimeout(100);
  }
  await says(page, "busy", ["Stop sending"]);
  await page.evaluate(() => dispatchEvent(new PageTransitionEvent("pageshow", { persisted: true })));
  await says(page, "live", ["Stop sending"]);
  await goesOn(page, "after it was left", 0);

  await page.locator("#send").click();
  await page.waitForFunction(() => document.querySelector("#state").textContent === "Not sending.");
  await says(page, "", ["Start sending"]);
  const opened = await page.evaluate(() => railbird.tracks.size);
  if (opened !== 0) problem(`${opened} cameras and microphones are still open`);
  for (const fault of faults) problem(fault);
} catch (error) {
  problem(String(error?.message ?? error));
} finally {
  await chromium.close();
}
report.ok = report.problems.length === 0;
console.log(JSON.stringify(report));
process.exitCode = report.ok ? 0 : 1;
