import assert from "node:assert/strict";
import { test } from "node:test";
import { HOLE_S_MAX, Holes, type Range, STANDS_MS } from "../src/holes";

/** A hole of 149 ms, just ahead of the picture. */
const HOLE: readonly Range[] = [
  [58.835, 62.686],
  [62.835, 80.903],
];

/** Looks once a second, from a moment on, for so long: where it was told to go on. */
function watched(holes: Holes, seen: { at_s: number; wants: boolean; buffered: readonly Range[] }, from_ms = 0, for_ms = 60_000): number[] {
  const said: number[] = [];
  for (let ms = from_ms; ms <= from_ms + for_ms; ms += 1_000) {
    const to_s = holes.look(seen, ms);
    if (to_s !== null) said.push(to_s);
  }
  return said;
}

test("a picture that stands before a short hole goes on behind it", () => {
  const holes = new Holes();
  const seen = { at_s: 62.63, wants: true, buffered: HOLE };
  assert.deepEqual(watched(holes, seen, 0, STANDS_MS - 1_000), []);
  assert.equal(holes.look(seen, STANDS_MS), 62.885);
  assert.deepEqual(watched(holes, seen, STANDS_MS + 1_000, STANDS_MS - 1_000), [], "it has been told");
});

test("also one that stands in the hole", () => {
  assert.equal(watched(new Holes(), { at_s: 62.7, wants: true, buffered: HOLE })[0], 62.885);
});

test("who moves, pauses, seeks or has nothing more is left alone", () => {
  const holes = new Holes();
  for (let ms = 0; ms < 60_000; ms += 1_000) {
    assert.equal(holes.look({ at_s: 60 + ms / 100_000, wants: true, buffered: HOLE }, ms), null);
  }
  assert.deepEqual(watched(new Holes(), { at_s: 62.63, wants: false, buffered: HOLE }), []);
  assert.deepEqual(watched(new Holes(), { at_s: 62.63, wants: true, buffered: [[58.835, 62.686]] }), []);
  assert.deepEqual(watched(new Holes(), { at_s: 62.63, wants: true, buffered: [] }), []);
});

test("who stands with more ahead than hls.js leaves before a hole is left alone", () => {
  assert.deepEqual(watched(new Holes(), { at_s: 60, wants: true, buffered: HOLE }), []);
});

test("a long hole is waited out", () => {
  const longer: readonly Range[] = [
    [58, 62],
    [62 + HOLE_S_MAX + 0.1, 80],
  ];
  assert.deepEqual(watched(new Holes(), { at_s: 61.95, wants: true, buffered: longer }), []);
});

test("a pause between begins the wait anew", () => {
  const holes = new Holes();
  const seen = { at_s: 62.63, wants: true, buffered: HOLE };
  watched(holes, seen, 0, STANDS_MS - 1_000);
  assert.equal(holes.look({ ...seen, wants: false }, STANDS_MS), null);
  assert.deepEqual(watched(holes, seen, STANDS_MS + 1_000, STANDS_MS - 1_000), []);
});
