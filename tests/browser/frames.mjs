// What the picture shows when the score changes: `node frames.mjs READY.json ORIGIN KEY SHOT`.
//
// The first channel's camera films the time as a code. Somebody watches it on our page, and somebody with Shaka Player on a page
// that is not ours, which shows the score by the document beside the media. While they play, points are entered at the
// origin for known times, some of them by a scorer who is known to be late. Every picture that a browser puts up is read, together
// with the score that stands on the page at that moment: the score must be that of the picture's own time, give or take one
// picture. How far a picture is behind the clock on the wall does not matter.
//
// Takes a picture of the calibration's page, too, and says between which times it was taken. Prints what it saw as JSON; exits 0
// when all was well, else 1.
import { began, moves, segments, site } from "./elsewhere.mjs";
import { PATIENCE_MS, bearer, given, logIn, openFirstChannel, ready, told } from "./viewer.mjs";

const PLAYER = "node_modules/shaka-player/dist/shaka-player.compiled.js";
/** From picture to picture, and how long a code is shown, in milliseconds. */
const [PICTURE_MS, TICK_MS] = [40, 20];
/** How many ticks there are. */
const TICKS = 2 ** 24;
/** When points are made, in milliseconds from now: at no picture's own time, and long after all are entered. */
const AT_MS = [11510, 12243, 12976, 13709, 14442, 15175];
/** By how much the scorer called ann is late, in milliseconds. */
const ANN_LATE_MS = 1200;

/** Run in the page: keeps what each picture shows, and which points stand on the page with it, in `window.pictures`. */
function watch(selector) {
  const video = document.querySelector("video");
  const [width, height, left, top, cell] = [640, 360, 176 + 24, 48 + 24, 24];
  const canvas = new OffscreenCanvas(width, height);
  const context = canvas.getContext("2d", { willReadFrequently: true });
  window.pictures = [];
  const read = (frame) => {
    context.drawImage(frame, 0, 0, width, height);
    const { data } = context.getImageData(0, 0, width, height);
    const light = (column, row) => data[4 * (Math.round(top + (row + 0.5) * cell) * width + Math.round(left + (column + 0.5) * cell))];
    let gray = 0;
    for (let bit = 0; bit < 24; bit++) {
      const [row, column] = [2 + Math.floor(bit / 4), 1 + 2 * (bit % 4)];
      gray = gray * 2 + (light(column, row) < light(column + 1, row) ? 1 : 0);
    }
    let tick = gray;
    for (const shift of [1, 2, 4, 8, 16]) tick ^= tick >>> shift;
    return tick;
  };
  const picture = (_now, { mediaTime }) => {
    video.requestVideoFrameCallback(picture);
    // Nothing is up while it goes to another place.
    if (video.readyState < 2) return;
    const frame = new VideoFrame(video);
    const tick = Math.abs(frame.timestamp / 1e6 - mediaTime) < 0.001 ? read(frame) : null;
    frame.close();
    // On a busy machine the next picture is up before this one's turn comes.
    if (tick === null) return;
    // Whatever else is drawn for this picture has been drawn by then.
    requestAnimationFrame(() => window.pictures.push({ tick, points: Number(document.querySelector(selector)?.textContent || Number.NaN) }));
  };
  video.requestVideoFrameCallback(picture);
}

/** Run in the page: Shaka plays this address, and the page shows the score of this document. */
async function play({ media, score }) {
  window.shaka.polyfill.installAll();
  const player = new window.shaka.Player();
  const video = document.querySelector("video");
  await player.attach(video);
  await player.load(media);
  const points = document.createElement("output");
  document.body.append(points);
  let entries = [];
  const ask = async () => {
    const answer = await fetch(score).catch(() => null);
    if (answer?.ok) entries = (await answer.json()).entries;
    setTimeout(ask, 500);
  };
  void ask();
  window.dateNow = () => player.getPlayheadTimeAsDate().getTime();
  const picture = (_now, { mediaTime }) => {
    const date_ms = (window.zero_ms ?? Number.NaN) + mediaTime * 1000;
    const entry = entries.findLast(({ at }) => at / 90 <= date_ms);
    points.textContent = entry === undefined ? "" : String(entry.state.sides[0].points);
    video.requestVideoFrameCallback(picture);
  };
  video.requestVideoFrameCallback(picture);
}

const [path, origin, key, shot] = given("frames.mjs READY.json ORIGIN KEY SHOT", 4);
await told(async ({ report, problem, person, stranger }) => {
  const demo = await ready(path);
  const { token, channels } = await bearer(demo);
  const [{ id }] = channels;
  const put = async (seq, event) => {
    const answer = await fetch(`${origin}/v1/channels/${id}/matches/final/events/1/${seq}`, {
      method: "PUT",
      headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
      body: JSON.stringify(event),
    });
    if (!answer.ok) throw new Error(`event ${seq}: ${answer.status} ${await answer.text()}`);
  };
  const sides = [{ name: "A" }, { name: "B" }];
  // Long ago for whoever watches.
  await put(1, { occurred: Date.now() - 60_000, action: { type: "start", title: "Final", discipline: "points", sides, breaks: 0 } });

  const another = await site(PLAYER);
  try {
    const ours = await person([]);
    await logIn(ours, demo);
    await openFirstChannel(ours);
    const theirs = await stranger();
    await theirs.goto(another.url);
    const live = new URL(`/t/${token}/live/${id}/`, demo.edge);
    const { starts } = segments(theirs);
    await theirs.evaluate(play, { media: new URL("main.m3u8", live).href, score: new URL("score.json", live).href });
    await theirs.waitForFunction(moves);
    await theirs.evaluate(began, starts());
    await ours.evaluate(watch, '[data-testid="score-points-0"]');
    await theirs.evaluate(watch, "output");
    const players = { "hls.js": ours, Shaka: theirs };
    const seen = (page, points) =>
      page.waitForFunction((least) => window.pictures.some(({ points }) => points >= least), points, { timeout: 2 * PATIENCE_MS });
    await Promise.all(Object.values(players).map((page) => seen(page, 0)));

    const now = Date.now();
    const times = AT_MS.map((ms) => now + ms);
    for (const [n, at] of times.entries()) {
      const late = n % 2 === 1 ? { occurred: at + ANN_LATE_MS, scorer: "ann" } : { occurred: at };
      await put(n + 2, { ...late, action: { type: "points", side: 0, points: 1 } });
    }
    await Promise.all(Object.values(players).map((page) => seen(page, times.length)));

    const until = (ms) => times.filter((at) => at <= ms).length;
    /** The time that a tick stands for: the one nearest to now. */
    const time = (tick) => {
      const here = Math.floor(now / TICK_MS);
      const ahead = (((tick - here) % TICKS) + TICKS) % TICKS;
      return (here + (ahead < TICKS / 2 ? ahead : ahead - TICKS)) * TICK_MS;
    };
    for (const [name, page] of Object.entries(players)) {
      const pictures = (await page.evaluate(() => window.pictures)).filter(({ points }) => !Number.isNaN(points));
      for (const { tick, points } of pictures) {
        const at = time(tick);
        const [least, most] = [until(at - PICTURE_MS), until(at + PICTURE_MS)];
        if (points < least || points > most) problem(`${name}: the picture of ${at - now} ms has ${points} points, not ${least} to ${most}`);
      }
      if (!pictures.some(({ tick }) => until(time(tick)) === 0)) problem(`${name}: no picture from before the first point was seen`);
      // By how much the first picture with each score is later than the point.
      const skew_ms = times.map((at, n) => {
        const first = pictures.find(({ points }) => points > n);
        return first === undefined ? null : time(first.tick) - at;
      });
      report[name] = { pictures: pictures.length, skew_ms };
    }

    // As large as a tablet at the table.
    const calibration = await stranger();
    await calibration.goto(new URL("/calibrate", origin).href);
    await calibration.waitForFunction(() => document.querySelector("canvas").dataset.tick);
    const from = Date.now();
    await calibration.screenshot({ path: shot });
    const said = await calibration.locator("#said").textContent();
    report.page = { from, to: Date.now(), off_ms: Number(/± (\d+) ms/.exec(said)?.[1] ?? 0), said };
  } finally {
    another.close();
  }
});
