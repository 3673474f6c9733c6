import assert from "node:assert/strict";
import { test } from "node:test";
import { Gaps, hasAt, IDLE_MS, IDLE_MS_MAX, type Listed, type Loading, nextOf } from "../src/gaps";

/** Segments of two seconds in a row: `-` is a gap, anything else is there. */
const listed = (row: string, from_s = 0): Listed[] =>
  [...row].map((sign, at) => ({ start: from_s + 2 * at, end: from_s + 2 * at + 2, gap: sign === "-" }));

test("a moment is there where its segment is, and a segment's end is the next one's beginning", () => {
  const low = listed("--xx-x");
  assert.deepEqual([0, 3, 3.95, 4, 7.95, 8, 9.9, 11.95, 13].map((at_s) => hasAt(low, at_s)), [
    false,
    false,
    true,
    true,
    false,
    false,
    true,
    null,
    null,
  ]);
  assert.equal(hasAt([], 0), null);
});

test("what comes next is where the playlists have something, in the wanted rendition if that has it as soon", () => {
  const [low, mid, high] = [listed("---xxx"), listed("-xx-xx"), listed("-xxxxx")];
  assert.deepEqual(nextOf([low, mid, high], 0, 0), { level: 1, at_s: 2 }, "the lowest that has it");
  assert.deepEqual(nextOf([low, mid, high], 0, 2), { level: 2, at_s: 2 });
  assert.deepEqual(nextOf([low, mid, high], 3, 0), { level: 1, at_s: 3 }, "in the middle of a segment");
  assert.deepEqual(nextOf([low, mid, high], 6.5, 1), { level: 0, at_s: 6.5 });
  assert.deepEqual(nextOf([low, mid, high], 8, 1), { level: 1, at_s: 8 });
  assert.deepEqual(nextOf([low, [], listed("--", 20)], 0, 1), { level: 0, at_s: 6 });
});

test("a frame's length more or less is no difference, and no more than that is left of a segment is nothing", () => {
  assert.deepEqual(nextOf([listed("-x", 0.04), listed("-x")], 0, 0), { level: 0, at_s: 2.04 });
  assert.deepEqual(nextOf([listed("x-x")], 1.95, 0), { level: 0, at_s: 4 });
});

test("where nothing comes there is nowhere to go", () => {
  assert.equal(nextOf([], 0, 0), null);
  assert.equal(nextOf([[], listed("--")], 0, 0), null);
  assert.equal(nextOf([listed("xxx")], 6, 0), null);
});

/** Looks once a second, so often: at which times it was told to begin again, in seconds. */
function watched(gaps: Gaps, times: number, seen: (second: number) => Loading): number[] {
  return [...Array(times).keys()].filter((second) => gaps.look(seen(second), second * 1000));
}

test("loading is begun again where nothing was asked for a while, and later each time that this did not help", () => {
  const s = IDLE_MS / 1000;
  assert.deepEqual(watched(new Gaps(), 8 * s, () => "idle"), [s, s + 1 + 2 * s, s + 1 + 2 * s + 1 + 4 * s].filter((at) => at < 8 * s));
  const gaps = new Gaps();
  const all = watched(gaps, 600, () => "idle");
  const pauses = all.slice(1).map((at, n) => at - (all[n] ?? 0));
  assert.equal(Math.max(...pauses), IDLE_MS_MAX / 1000 + 1);
});

test("who plays, or waits for what is on its way, is left alone", () => {
  assert.deepEqual(watched(new Gaps(), 60, () => "plays"), []);
  assert.deepEqual(watched(new Gaps(), 60, () => "waits"), []);
  const s = IDLE_MS / 1000;
  assert.deepEqual(watched(new Gaps(), 60, (second) => (second % s === 0 ? "waits" : "idle")), [], "never long enough");
});

test("a picture that played begins the count anew, one that only waited does not", () => {
  const s = IDLE_MS / 1000;
  const again = (between: Loading) => watched(new Gaps(), 4 * s, (second) => (second === s + 1 ? between : "idle"));
  assert.deepEqual(again("plays"), [s, s + 2 + s]);
  assert.deepEqual(again("waits"), [s, s + 2 + 2 * s]);
});
