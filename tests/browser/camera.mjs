// A browser that is an encoder: `node camera.mjs WHIP CHANNEL KEY CODEC`.
//
// The origin's page sends what Chromium's fake camera and microphone show, in CODEC (H264 or AV1), over whatever way WHIP announces.
// ICE is restarted on the way, the picture becomes smaller, and the feed is ended in order. A wrong key is refused in words. Prints
// what the browser counted; exits 0 when all was well.
import { PATIENCE_MS, browser, given, open } from "./viewer.mjs";

const [whip, channel, key, codec] = given("camera.mjs WHIP CHANNEL KEY CODEC", 4);
const report = { ok: false, problems: [], sent: {} };
const problem = (text) => report.problems.push(text);

const chromium = await browser([
  "--use-fake-device-for-media-stream",
  "--use-fake-ui-for-media-stream",
  "--allow-loopback-in-peer-connection",
]);

/** Somebody with the page, and this key in its address. */
async function holder(withKey) {
  const context = await chromium.newContext({ viewport: { width: 390, height: 844 } });
  const { page, faults } = await open(context);
  // As if the browser knew no other codec.
  await page.addInitScript((only) => {
    const known = RTCRtpSender.getCapabilities.bind(RTCRtpSender);
    RTCRtpSender.getCapabilities = (kind) => {
      const found = known(kind);
      if (kind !== "video") return found;
      return { ...found, codecs: found.codecs.filter(({ mimeType }) => ["video/rtx", `video/${only}`].includes(mimeType)) };
    };
  }, codec);
  await page.goto(`${whip}/camera/${channel}#key=${encodeURIComponent(withKey)}`);
  const state = page.locator("#state");
  const becomes = async (kind) => {
    await page.waitForFunction(
      (wanted) => ["wrong", wanted].includes(document.querySelector("#state").dataset.state),
      kind,
    );
    const is = await state.getAttribute("data-state");
    if (is !== kind) throw new Error(`the page says: ${await state.textContent()}`);
  };
  return { context, page, faults, state, becomes };
}

/** What the sender of pictures counted. */
const counted = (page) =>
  page.evaluate(async () => {
    const figures = {};
    for (const one of (await railbird.publisher.connection.getStats()).values()) {
      if (one.type === "outbound-rtp" && one.kind === "video") {
        const { framesSent, framesEncoded, keyFramesEncoded, frameWidth, nackCount, pliCount, retransmittedPacketsSent } = one;
        Object.assign(figures, { framesSent, framesEncoded, keyFramesEncoded, frameWidth, nackCount, pliCount, retransmittedPacketsSent });
        figures.id = one.codecId;
      }
    }
    for (const one of (await railbird.publisher.connection.getStats()).values()) {
      if (one.id === figures.id) figures.codec = one.mimeType;
    }
    return figures;
  });

/** Waits until the sender counted this. */
async function until(page, what, is) {
  const end = Date.now() + PATIENCE_MS;
  for (;;) {
    const now = await counted(page);
    if (is(now)) return now;
    if (Date.now() > end) throw new Error(`${what} did not come: ${JSON.stringify(now)}`);
    await page.waitForTimeout(100);
  }
}

try {
  const stranger = await holder("another-key");
  await stranger.page.locator("#send").click();
  await stranger.becomes("wrong");
  const refused = await stranger.state.textContent();
  if (!refused.includes("unknown stream key")) problem(`a wrong key is told: ${refused}`);
  await stranger.context.close();

  const { page, faults, becomes } = await holder(key);
  await page.locator("#quality").selectOption("540");
  await page.locator("#send").click();
  await becomes("live");
  const first = await until(page, "the first pictures", (now) => now.framesSent >= 45);
  await page.evaluate(() => dispatchEvent(new Event("online")));
  await page.waitForFunction(
    () => railbird.publisher.restarts === 1 && railbird.publisher.connection.connectionState === "connected",
  );
  const second = await until(page, "pictures after the restart", (now) => now.framesSent >= first.framesSent + 45);
  await page.evaluate(async () => {
    const sender = railbird.publisher.connection.getSenders().find((one) => one.track.kind === "video");
    await sender.track.applyConstraints({ width: 320, height: 180 });
  });
  const small = await until(page, "a smaller picture", (now) => now.frameWidth === 320);
  report.sent = await until(page, "smaller pictures", (now) => now.framesSent >= small.framesSent + 45);
  // What was counted has arrived by then, asked for again or not.
  await until(page, "a few more pictures", (now) => now.framesSent >= report.sent.framesSent + 15);
  await page.locator("#send").click();
  await page.waitForFunction(() => document.querySelector("#state").textContent === "Not sending.");
  for (const fault of faults) problem(fault);
  if (report.sent.codec !== `video/${codec}`) problem(`it sent ${report.sent.codec}`);
  if (second.framesSent <= first.framesSent) problem("nothing was sent after the restart");
} catch (error) {
  problem(String(error?.message ?? error));
} finally {
  await chromium.close();
}
report.ok = report.problems.length === 0;
console.log(JSON.stringify(report));
process.exitCode = report.ok ? 0 : 1;
