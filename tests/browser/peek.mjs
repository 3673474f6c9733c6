// A pass holder looks over the seek bar for a place: `node peek.mjs READY.json RECORDING|live COLOURS SHOT.png`.
//
// A pointer that sweeps over the bar first asks for no more pictures than it rested for.
// COLOURS is a JSON list of [red, green, blue], one for each two seconds of what is played. The picture over the bar must have the
// colour of the moment that is pointed at, for the first half of them. Then it prints `looked` and the node that was asked for them, and
// waits for a line on its input: whoever started this has let that node die by then. The other half must be there from then on, too. A key
// shows the place that it leads to, and somebody without a session gets no key. Prints what it saw as JSON; exits 0 when all was
// well, else 1.
import { createInterface } from "node:readline";
import { given, logIn, PATIENCE_MS, playing, ready, told } from "./viewer.mjs";

/** How far a colour may be off, of 255: coding rounds, and browsers differ in the matrix they take. */
const OFF_MAX = 48;
const SECONDS_EACH = 2;
/** How long a pointer rests for a picture, in milliseconds: 120, as the player's timer may have it. */
const REST_MS = 115;
/** How wide the bar's thumb is; its middle stays within the bar. */
const THUMB_PX = 16;

/** Run in the page: whether the picture over the bar has this colour in its middle, at a place that reads so. */
function shows([text, colour, off_max]) {
  const canvas = document.querySelector('[data-testid="peek-picture"] canvas');
  if (canvas === null || document.querySelector('[data-testid="peek-time"]').textContent !== text) return false;
  const { data } = canvas.getContext("2d").getImageData(canvas.width >> 1, canvas.height >> 1, 1, 1);
  return colour.every((value, n) => Math.abs(value - data[n]) <= off_max);
}

/** Run in the page: counts from now on how often the pointer has rested over the bar, in `window.rests`. */
function countRests([rest_ms]) {
  window.rests = 0;
  let last_ms = Number.POSITIVE_INFINITY;
  const count = () => {
    const now_ms = performance.now();
    if (now_ms - last_ms >= rest_ms) window.rests += 1;
    last_ms = now_ms;
  };
  for (const event of ["pointermove", "pointerleave"]) document.querySelector('[data-testid="seek"]').addEventListener(event, count);
}

const clock = (at_s) => `${Math.floor(at_s / 60)}:${String(Math.floor(at_s) % 60).padStart(2, "0")}`;

const [path, what, list, shot] = given("peek.mjs READY.json RECORDING|live COLOURS SHOT.png", 4);
const colours = JSON.parse(list);
const input = createInterface({ input: process.stdin });
const line = new Promise((resolve) => input.once("line", resolve));
await told(async ({ report, problem, person, stranger }) => {
  const page = await person([]);
  const [ranges, names, keys] = [[], new Set(), new Set()];
  page.on("request", (request) => {
    const url = new URL(request.url());
    if (/\/key\//.test(url.pathname)) keys.add(url.href);
    const { range } = request.headers();
    if (!/\.m4s$/.test(url.pathname) || range === undefined) return;
    ranges.push(`${url.host} ${range}`);
    names.add(url.pathname.split("/").at(-1));
  });
  const demo = await ready(path);
  await logIn(page, demo);
  await page.goto(new URL(what === "live" ? "/watch/t" : `/watch/t/${what}`, demo.edge).href);
  await playing(page);
  await page.evaluate(() => document.querySelector("video").pause());
  const whole_s = await page.evaluate(() => {
    const { seekable } = document.querySelector("video");
    return seekable.end(0) - seekable.start(0);
  });
  if (Math.abs(whole_s - colours.length * SECONDS_EACH) > 1) problem(`there are ${whole_s} s to seek in`);
  if (what !== "live") {
    // What is buffered, no node is asked for any more but for the pictures.
    await page.waitForFunction((end) => document.querySelector("video").buffered.end(0) > end - 0.5, whole_s);
  }
  const bar = page.getByTestId("seek");
  const point = async (at_s, steps) => {
    const { x, y, width, height } = await bar.boundingBox();
    await page.mouse.move(x + THUMB_PX / 2 + (at_s / whole_s) * (width - THUMB_PX), y + height / 2, { steps });
  };
  const look = async (n) => {
    const at_s = n * SECONDS_EACH + 1.25;
    await point(at_s, 1);
    const text = what === "live" ? `−${clock(whole_s - at_s)}` : clock(at_s);
    await page
      .waitForFunction(shows, [text, colours[n], OFF_MAX], { timeout: PATIENCE_MS })
      .catch(async () => problem(`no ${colours[n]} at ${text}: ${await page.getByTestId("peek").innerText()}, ${ranges.length} ranges`));
  };
  const half = colours.length >> 1;
  // Over the half that is looked at before the node dies, a step for each picture.
  await page.evaluate(countRests, [REST_MS]);
  await point(1.25, 1);
  await point((half - 1) * SECONDS_EACH + 1.25, half - 1);
  await page.mouse.move(10, 10);
  await page.getByTestId("peek").waitFor({ state: "hidden" });
  const [swept, rests] = [names.size, await page.evaluate(() => window.rests)];
  report.swept = { asked: swept, rests };
  if (swept > rests) problem(`a sweep with ${rests} rests asked for ${swept} pictures`);
  for (let n = 0; n < half; n += 1) await look(n);
  await page.screenshot({ path: shot });
  const before = ranges.length;
  const asked = ranges.at(-1)?.split(" ")[0];
  const { nodes } = await page.evaluate(async () => (await fetch("/live/t/nodes.json")).json());
  console.log(`looked\n${nodes.find(({ url }) => new URL(url).host === asked)?.id}`);
  await line;
  for (let n = half; n < colours.length; n += 1) await look(n);
  report.asked = { before, after: ranges.length - before, of: [...new Set(ranges)] };
  // What was played already may be in the browser's cache; of the rest, the nodes are asked.
  if (what === "live" && new Set(ranges.map((of) => of.split(" ")[0])).size < 2) problem(`only one node was asked: ${ranges}`);
  if (before < half || ranges.length < colours.length) problem(`only ${ranges.length} beginnings were asked for`);
  // One for each picture, and one more where the node that is dead was asked for it.
  if (ranges.length > 2 * colours.length) problem(`${ranges.length} beginnings were asked for ${colours.length} pictures`);
  // Away from the bar there is nothing.
  await page.mouse.move(10, 10);
  await page.getByTestId("peek").waitFor({ state: "hidden" });
  // A step by key shows where it leads to, and goes by itself.
  await page.keyboard.press("ArrowLeft");
  await page.getByTestId("peek").waitFor({ state: "visible" });
  await page.getByTestId("peek").waitFor({ state: "hidden" });
  const nobody = await stranger();
  for (const url of keys) {
    const answer = await nobody.request.get(url);
    if (answer.status() !== 401) problem(`without a session, ${url} answers ${answer.status()}`);
  }
  if (keys.size === 0) problem("no key was asked for");
  report.keys = keys.size;
});
input.close();
