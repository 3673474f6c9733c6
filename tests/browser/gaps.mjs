// Somebody who chose the lowest picture comes to a channel whose lowest rendition has gaps: `node gaps.mjs READY.json live HEIGHT` or
// `node gaps.mjs READY.json replay HEIGHT SEGMENTS COUNT`.
//
// What was chosen before, HEIGHT, is what the page begins with, at a gap; its init segment comes no sooner than a segment of another
// rendition is asked for. `live`: says `watching` once another picture moves, `chosen` once it is the chosen one, `other` once
// it is another one again, and waits for the chosen one to come back. `replay`: opens the newest replay; SEGMENTS has of each segment
// of the lowest rendition its length in seconds, whether it is a gap, and its file's name, as JSON. The first COUNT are gaps in every
// rendition, as the page gets to see it: there is no picture, and nothing of them comes. From there to the end each segment must be the
// chosen one's wherever that has it, but for the last one before a gap, and another one's at gaps: it has come, and no picture is of
// another. The page must never leap, which is to go to another place than where it has come to: pictures that a busy machine leaves out
// are no leap. Prints what it saw as JSON; exits 0 when all was well, else 1.
import { LEAP_S, PATIENCE_MS, given, logIn, openFirstChannel, playing, ready, told } from "./viewer.mjs";

/** Pictures so near to where a segment begins or ends, in seconds, are the one's or the other's. */
const NEAR_S = 0.2;

/** Runs before the page's own script: the choice is remembered. */
const remember = (height) => localStorage.setItem("railbird-quality", height);

/** Runs before the page's own script: plays at this rate, and keeps of each picture that is shown where it is, in seconds, and how high. */
function watch(rate) {
  window.shown = [];
  const frame = (_now, { mediaTime, height }) => {
    window.shown.push([mediaTime, height]);
    document.querySelector("video").requestVideoFrameCallback(frame);
  };
  // It is told to play before it has anything.
  const begin = ({ target }) => {
    target.playbackRate = rate;
    target.requestVideoFrameCallback(frame);
  };
  document.addEventListener("play", begin, { capture: true, once: true });
}

/** Holds back the init segment of the lowest rendition until a segment of another one is asked for. */
async function holdBack(page) {
  let asked = () => {};
  const other = new Promise((resolve) => (asked = resolve));
  await page.route(/\/(?:source|mid)\/[^/]*\.m4s/, async (route) => {
    asked();
    await route.continue();
  });
  await page.route(/\/low\/init-[^/]*\.mp4/, async (route) => {
    await other;
    // It may have been given up meanwhile.
    await route.continue().catch(() => {});
  });
}

/** The first so many segments of every recording are gaps. */
async function dig(page, count) {
  await page.route(/\/replay\/[^?]*\.m3u8/, async (route) => {
    const response = await route.fetch();
    let left = count;
    const gap = (tag) => ((left -= 1) >= 0 ? `#EXT-X-GAP\n${tag}` : tag);
    await route.fulfill({ response, body: (await response.text()).replace(/^#EXTINF:/gm, gap) });
  });
}

/** The files of the segments that a page gets from now on: of the lowest rendition, and of others. */
function segmentsOf(page) {
  const got = { low: new Set(), other: new Set() };
  page.on("response", (response) => {
    const [, rendition, file] = /\/(source|mid|low)\/([^/]+\.m4s)$/.exec(new URL(response.url()).pathname) ?? [];
    if (file !== undefined && response.ok()) got[rendition === "low" ? "low" : "other"].add(file);
  });
  return got;
}

/** What is wrong with what was seen, where the chosen one has these segments, and the first few are gaps in all. */
function wrong({ shown, leaps, duration_s }, got, segments, count, chosen) {
  let [begins_s, end_s] = [0, 0];
  const found = [];
  segments.forEach(([length_s, gap, file], n) => {
    const from_s = end_s;
    end_s += length_s;
    const [low, other] = [got.low.has(file), got.other.has(file)];
    if (n < count) {
      begins_s = end_s;
      if (low || other) found.push(`${file} comes, which is a gap everywhere`);
      return;
    }
    if (!low && !other) found.push(`${file} is left out`);
    // Where what is buffered ends with the sound, a frame before the gap, hls.js takes the segment that ends there, or the one that begins
    // there, of the other rendition: its binary search stops at the first of them that it meets.
    if (!gap && segments[n + 1]?.[1]) return;
    if (!(gap ? other : low)) found.push(`${file} does not come from ${gap ? "another one" : "the chosen one"}`);
    const inside = shown.filter(([at_s]) => at_s > from_s + NEAR_S && at_s < end_s - NEAR_S);
    const picture = inside.find(([, height]) => (height === chosen) === gap);
    if (picture !== undefined) found.push(`at ${picture[0]} s, where the chosen one has a ${gap ? "gap" : "segment"}, the picture is ${picture[1]} high`);
  });
  for (const is of [true, false]) {
    if (!shown.some(([, height]) => (height === chosen) === is)) found.push(`there is no picture that is ${is ? "" : "not "}the chosen one`);
  }
  if (!(shown[0]?.[0] > begins_s - NEAR_S)) found.push(`the first picture is at ${shown[0]?.[0]} s, where nothing is`);
  for (const [from_s, to_s] of leaps) {
    // Until there is something it stands where nothing is.
    if (Math.abs(to_s - Math.max(from_s, begins_s)) > LEAP_S) found.push(`from ${from_s} s it leaps to ${to_s} s`);
  }
  if (!(Math.abs(duration_s - end_s) < LEAP_S)) found.push(`it ends at ${duration_s} s, and what is listed at ${end_s} s`);
  return found;
}

const [path, what, height, segments = "[]", count = "0"] = given("gaps.mjs READY.json live HEIGHT | replay HEIGHT SEGMENTS COUNT", 3);
const chosen = Number(height);
await told(async ({ report, problem, person }) => {
  const page = await person(["waiting"]);
  await page.addInitScript(remember, height);
  await page.addInitScript(watch, what === "live" ? 1 : 2);
  await holdBack(page);
  if (Number(count) > 0) await dig(page, Number(count));
  const got = segmentsOf(page);
  await logIn(page, await ready(path));
  try {
    if (what === "live") {
      const becomes = async (is) => {
        const so = ([is, chosen]) => (document.querySelector("video").videoHeight === chosen) === is;
        // A feed that comes back has to find its place first.
        await (await page.waitForFunction(so, [is, chosen], { timeout: 2 * PATIENCE_MS })).dispose();
      };
      await openFirstChannel(page);
      report.first = await page.evaluate(() => document.querySelector("video").videoHeight);
      if (report.first === chosen) problem("what was chosen was there");
      console.log("watching");
      await becomes(true);
      console.log("chosen");
      await becomes(false);
      console.log("other");
      await becomes(true);
      await playing(page);
    } else {
      await page.getByTestId("replay").first().click();
      await page.waitForURL((url) => /^\/watch\/[^/]+\/[^/]+$/.test(url.pathname));
      const length_s = JSON.parse(segments).reduce((sum, [length_s]) => sum + length_s, 0);
      await page.waitForFunction(() => document.querySelector("video").ended, undefined, { timeout: length_s * 1000 + PATIENCE_MS });
      const seen = await page.evaluate(() => ({ shown: window.shown, leaps: window.leaps, duration_s: document.querySelector("video").duration }));
      const changes = seen.shown.filter(([, height], n) => height !== seen.shown[n - 1]?.[1]);
      Object.assign(report, { pictures: seen.shown.length, changes, leaps: seen.leaps, low: got.low.size, other: got.other.size });
      for (const found of wrong(seen, got, JSON.parse(segments), Number(count), chosen)) problem(found);
    }
  } finally {
    report.stats = await page.evaluate(() => {
      const stats = window.railbird?.stats;
      return { at_s: stats?.mediaTime, waits: stats?.waitingEvents, stalls: stats?.stalls, moments: stats?.moments.slice(-40) };
    });
  }
});
