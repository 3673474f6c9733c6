// Shows the origin's time as a code for a camera, as railbird_core::calibration::code reads it. A test of the origin reads what
// this page shows.

/** How long a code is shown, in milliseconds. */
const TICK_MS = 20;
/** The bits of a code, after which ticks begin anew. */
const BITS = 24;
/** The first row within the frame: 1 is dark. */
const HEAD = [0, 0, 1, 0, 1, 1, 0, 1];
/** Cells of the frame, and of the white around it, on each side. */
const [FRAME, QUIET] = [1, 1];
const ROWS = 1 + BITS / 4;

/** How often the origin is asked for its time, in milliseconds: at first, and then. */
const [SOON_MS, ASK_MS] = [200, 3_000];
/** The first so many questions come soon after each other. */
const SOON = 8;
/** An answer is waited for so long, in milliseconds. */
const ANSWER_MS_MAX = 5_000;
/** How far the time shown may be off, in milliseconds: half a picture. */
const OFF_MS_MAX = 20;
/** How much a device's clock goes wrong in a millisecond, at most. */
const DRIFT = 1e-4;
/** The most of the newest answers that are looked at. */
const ANSWERS_MAX = 32;

/**
 * What the origin's clock is ahead of ours, `off_ms` at most wrong when it was asked, at `at_ms` of our clock.
 * @type {{ ahead_ms: number, off_ms: number, at_ms: number }[]}
 */
let answers = [];

const now_ms = () => performance.now();
const off_ms = (answer) => answer.off_ms + (now_ms() - answer.at_ms) * DRIFT;

/** The answer that tells most; undefined before there is one. */
function best() {
  let found;
  for (const answer of answers) if (found === undefined || off_ms(answer) < off_ms(found)) found = answer;
  return found;
}

async function ask() {
  const asked_ms = now_ms();
  const answer = await fetch("/calibrate/time", { cache: "no-store", signal: AbortSignal.timeout(ANSWER_MS_MAX) });
  const { now } = await answer.json();
  const answered_ms = now_ms();
  // It read its clock in between, and tells whole milliseconds.
  const half_ms = (answered_ms - asked_ms) / 2;
  const newest = { ahead_ms: now + 0.5 - (asked_ms + half_ms), off_ms: half_ms + 0.5, at_ms: answered_ms };
  // What can't be true beside it was said of a clock that has been set since, here or there.
  const agrees = (answer) => Math.abs(answer.ahead_ms - newest.ahead_ms) <= off_ms(answer) + newest.off_ms;
  answers = [...answers.filter(agrees), newest].slice(-ANSWERS_MAX);
}

async function keepAsking() {
  for (let asked = 1; ; asked++) {
    await ask().catch(() => {});
    await new Promise((done) => setTimeout(done, asked < SOON ? SOON_MS : ASK_MS));
  }
}

/** The rows of cells within the frame: 1 is dark. */
function rows(tick) {
  const gray = tick ^ (tick >>> 1);
  const bits = Array.from({ length: BITS }, (_, n) => (gray >>> (BITS - 1 - n)) & 1);
  const cells = [...HEAD, ...bits.flatMap((bit) => [bit, 1 - bit])];
  return Array.from({ length: ROWS }, (_, row) => cells.slice(row * HEAD.length, (row + 1) * HEAD.length));
}

const canvas = document.querySelector("canvas");
const [time, said] = [document.getElementById("time"), document.getElementById("said")];
const context = canvas.getContext("2d", { alpha: false });
const [wide, high] = [HEAD.length, ROWS].map((cells) => cells + 2 * (FRAME + QUIET));
let cell = 0;

/** Makes the code as large as fits, in whole pixels of the screen. */
function fit() {
  const ratio = devicePixelRatio || 1;
  const room = [innerWidth * ratio, (innerHeight - 3 * 24) * ratio];
  cell = Math.max(1, Math.floor(Math.min(room[0] / wide, room[1] / high)));
  [canvas.width, canvas.height] = [wide * cell, high * cell];
  [canvas.style.width, canvas.style.height] = [`${canvas.width / ratio}px`, `${canvas.height / ratio}px`];
}

function paint(tick) {
  context.fillStyle = "#fff";
  context.fillRect(0, 0, canvas.width, canvas.height);
  if (tick === null) return;
  context.fillStyle = "#000";
  context.fillRect(QUIET * cell, QUIET * cell, (wide - 2 * QUIET) * cell, (high - 2 * QUIET) * cell);
  context.fillStyle = "#fff";
  rows(tick).forEach((row, y) => {
    row.forEach((dark, x) => {
      if (!dark) context.fillRect((x + QUIET + FRAME) * cell, (y + QUIET + FRAME) * cell, cell, cell);
    });
  });
}

let shown = null;
let apart_ms = Date.now() - now_ms();

function draw() {
  requestAnimationFrame(draw);
  // A device that slept, whose clock may have slept with it: what was known says nothing any more.
  const apart_before_ms = apart_ms;
  apart_ms = Date.now() - now_ms();
  if (Math.abs(apart_ms - apart_before_ms) > OFF_MS_MAX) answers = [];
  const answer = best();
  const off = answer === undefined ? Infinity : off_ms(answer);
  const now = answer === undefined ? 0 : now_ms() + answer.ahead_ms;
  const tick = off <= OFF_MS_MAX ? Math.floor(now / TICK_MS) % 2 ** BITS : null;
  if (tick === shown && tick !== null) return;
  shown = tick;
  canvas.dataset.tick = tick ?? "";
  paint(tick);
  time.textContent = tick === null ? "" : new Date(now).toISOString().slice(11, 23);
  if (tick !== null) said.textContent = `UTC by the origin's clock, ± ${Math.ceil(off)} ms`;
  else if (answer === undefined) said.textContent = "Asking the origin for its time…";
  else said.textContent = `The network is too slow to know the origin's time: ± ${Math.ceil(off)} ms. Come nearer to the access point.`;
}

addEventListener("resize", () => {
  fit();
  shown = null;
});
// The screen shall neither sleep nor dim while it is filmed. Where a browser can't promise that, a person touches it.
const stayAwake = () => void navigator.wakeLock?.request("screen").catch(() => {});
document.addEventListener("visibilitychange", stayAwake);
document.body.addEventListener("click", () => void document.documentElement.requestFullscreen?.().catch(() => {}));
stayAwake();
fit();
void keepAsking();
requestAnimationFrame(draw);
