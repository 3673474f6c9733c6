// Somebody chooses the sound without the picture: `node soundonly.mjs READY.json live|replay|slow SHOT.png [BYTES_A_SECOND]`.
//
// `live` and `replay`: the first channel's picture is watched, live or in its newest recording, and "Sound only" is chosen where
// qualities are. From then on no segment of a picture may be asked for, the sound goes on where it was, and the score stays; also when the
// page is loaded again. Then the picture is chosen again, and comes, without another page. `slow`: only so many bytes come a second, which
// is too little for the picture; the page offers to do without it, and who takes that hears the sound. Prints what it saw as JSON
// and keeps a picture of the sound alone; exits 0 when all was well, else 1.
import { given, logIn, openFirstChannel, playing, ready, told } from "./viewer.mjs";

/** The sound goes on so near to where the picture was, in milliseconds of media time: it is told to begin there. */
const NEAR_MS = 250;
/** So many segments of sound are waited for. */
const SEGMENTS = 3;

const date = () => Date.parse(window.railbird.stats.playingDate);

/**
 * Run in the page: when it is next taken from the beginning, `window.went` will be the date it was last seen at, the one it begins at, and for how
 * long it may have gone on behind the first: until there was nothing.
 */
function noteBegin() {
  const video = document.querySelector("video");
  const date = () => Date.parse(window.railbird.stats.playingDate);
  window.went = null;
  let [last, last_ms] = [date(), performance.now()];
  const note = () => {
    const now = date();
    if (now > 0) [last, last_ms] = [now, performance.now()];
  };
  const taken = () => {
    video.removeEventListener("timeupdate", note);
    const [unseen_ms, leaps] = [performance.now() - last_ms, window.leaps.length];
    const begins = () => {
      // Where it is told to begin: by now it is further.
      const [, begin_s] = window.leaps.slice(leaps).at(-1) ?? [0, 0];
      window.went = [last, date() - (video.currentTime - begin_s) * 1000, unseen_ms];
    };
    video.addEventListener("playing", begins, { once: true });
  };
  video.addEventListener("timeupdate", note);
  video.addEventListener("emptied", taken, { once: true });
}

/** Whether it plays: sound alone, or with a picture. */
const plays = (alone) => {
  const { videoWidth, paused, readyState } = document.querySelector("video");
  const poster = document.querySelector("[data-testid=sound-only]");
  return !paused && readyState >= 3 && (videoWidth === 0) === alone && poster.hidden !== alone;
};

/** The segments that a page asks for from now on, by their rendition. */
function segments(page) {
  const asked = [];
  page.on("request", (request) => {
    const rendition = /\/t\/([a-z0-9-]+)\/[^/]+\.m4s$/.exec(new URL(request.url()).pathname)?.[1];
    if (rendition !== undefined) asked.push(rendition);
  });
  return asked;
}

const [path, what, shot, rate] = given("soundonly.mjs READY.json live|replay|slow SHOT.png [BYTES_A_SECOND]", 3);
await told(async ({ report, problem, person }) => {
  const page = await person([]);
  const asked = segments(page);
  const quality = page.getByTestId("quality");
  const until = async (so, arg) => (await page.waitForFunction(so, arg)).dispose();
  const more = async (rendition, count) => {
    const from = asked.length;
    while (asked.slice(from).filter((of) => of === rendition).length < count) await page.waitForRequest(/\.m4s$/);
  };
  await logIn(page, await ready(path));
  if (what === "slow") {
    const network = await page.context().newCDPSession(page);
    await openFirstChannel(page);
    await network.send("Network.emulateNetworkConditions", { offline: false, latency: 0, downloadThroughput: Number(rate), uploadThroughput: -1 });
    await page.getByTestId("sound-only-offer").click();
    await until(plays, true);
    const from = asked.length;
    await more("audio", SEGMENTS);
    report.asked = asked.slice(from);
    if (report.asked.includes("source")) problem("a picture was asked for");
    if (await page.getByTestId("too-slow").isVisible()) problem("what was taken is still offered");
    return;
  }
  if (what === "live") await openFirstChannel(page);
  else {
    await page.getByTestId("replay").first().click();
    await page.waitForURL((url) => /^\/watch\/[^/]+\/[^/]+$/.test(url.pathname));
    await playing(page);
  }
  await page.getByTestId("score").waitFor({ state: "visible" });
  await quality.locator("option[value=sound]").waitFor({ state: "attached" });
  report.choices = await quality.locator("option").allTextContents();
  await page.evaluate(() => {
    window.same = true;
  });

  /** Chooses; gives how many segments had been asked for when that was played. */
  const turn = async (value, alone) => {
    await page.evaluate(noteBegin);
    const from = asked.length;
    await quality.selectOption(value);
    await until(() => window.went !== null);
    await until(plays, alone);
    const [last, began, unseen_ms] = await page.evaluate(() => window.went);
    if (!(began - last > -NEAR_MS && began - last < NEAR_MS + unseen_ms)) problem(`at ${value || "automatic"} it went from ${last} to ${began}`);
    const wanted = alone ? "audio" : "source";
    if (!asked.slice(from).includes(wanted)) problem(`nothing of ${wanted} was asked for`);
    return asked.length;
  };
  let from = await turn("sound", true);
  // Of a recording, everything may have been asked for by now.
  if (what === "live") await more("audio", SEGMENTS);
  const then = await page.evaluate(date);
  await until((then) => Date.parse(window.railbird.stats.playingDate) > then + 2_000, then);
  if (!(await page.getByTestId("score").isVisible())) problem("there is no score");
  report.points = await page.getByTestId("score-points-0").innerText();
  await page.screenshot({ path: shot });
  report.alone = asked.slice(from);
  if (report.alone.some((of) => of !== "audio")) problem("a picture was asked for");

  await turn("", false);
  if (!(await page.evaluate(() => window.same === true))) problem("the page was loaded again");
  report.renewals = await page.evaluate(() => window.railbird.stats.renewals);
  if (report.renewals !== 2) problem("the presentation was not taken twice");

  await turn("sound", true);
  from = asked.length;
  await page.reload();
  from = asked.length;
  await page.mouse.click(1, 1);
  await until(plays, true);
  if (what === "live") await more("audio", SEGMENTS);
  report.again = asked.slice(from);
  if (report.again.length === 0 || report.again.some((of) => of !== "audio")) problem("what was chosen was not remembered");
  if ((await quality.inputValue()) !== "sound") problem("what was chosen is not shown");
});
