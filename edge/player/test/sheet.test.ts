import assert from "node:assert/strict";
import { test } from "node:test";
import type { Entry } from "../src/score";
import {
  innings,
  lastScores,
  LEAD_IN_MS,
  LEAD_OUT_MS,
  mergeHighlights,
  mergeTurns,
  neighbour,
  parseHighlights,
  parseTurns,
  reel,
  stretch,
  turnAt,
  turnsAt,
  type Highlight,
  type Turn,
} from "../src/sheet";

const turn = (seq: number, at_s: number, side: 0 | 1, inning: number, points: number, more: Partial<Turn> = {}): Turn => ({
  seq,
  at_ms: at_s * 1000,
  end_ms: null,
  unit: null,
  inning,
  side,
  points,
  total: points,
  phase: "playing",
  ...more,
});
const TURNS = [turn(1, 0, 0, 1, 2), turn(4, 30, 1, 1, 0), turn(5, 60, 0, 2, 7), turn(13, 200, 1, 2, 1)];

test("turns and highlights are read with their bounds, and nonsense is left out", () => {
  const value = { seq: 1, last: 3, at: 90_000, end: 180_000, inning: 1, side: 0, points: 3, total: 3 };
  assert.deepEqual(parseTurns([value, { ...value, side: 2 }, null, { seq: "1" }, 5]), [
    { seq: 1, at_ms: 1000, end_ms: 2000, unit: null, inning: 1, side: 0, points: 3, total: 3, phase: "playing" },
  ]);
  assert.equal(parseTurns(Array.from({ length: 3000 }, () => value)).length, 2000);
  assert.deepEqual(parseTurns({ length: 3 }), []);
  const run = { seq: 9, kind: "run", at: 90, end: 180, side: 1, points: 7 };
  const read = { seq: 9, kind: "run", at_ms: 1, end_ms: 2, side: 1, points: 7 };
  assert.deepEqual(parseHighlights([run, { ...run, kind: "dance" }, { ...run, end: null }]), [read]);
});

test("what is new takes the place of what was known", () => {
  const more = turn(13, 200, 1, 2, 4, { end_ms: 300_000 });
  assert.deepEqual(mergeTurns(TURNS, [more, turn(18, 300, 0, 3, 0)]).map(({ seq, points }) => [seq, points]), [[1, 2], [4, 0], [5, 7], [13, 4], [18, 0]]);
  const of = (seq: number, kind: Highlight["kind"], end_ms: number): Highlight => ({ seq, kind, at_ms: 5, end_ms, side: null, points: null });
  const known = [of(3, "run", 7), of(9, "shootout", 10)];
  assert.deepEqual(mergeHighlights(known, [of(3, "lead", 7), of(11, "shootout", 20)]), [of(3, "run", 7), of(3, "lead", 7), of(11, "shootout", 20)]);
});

test("a sheet has a row an inning, up to what has been seen", () => {
  const rows = innings(TURNS.slice(0, 3));
  assert.deepEqual(rows.map(({ inning, turns }) => [inning, turns[0]?.points ?? null, turns[1]?.points ?? null]), [[1, 2, 0], [2, 7, null]]);
  // The other side may have begun, and sets begin anew.
  const sets = [turn(1, 0, 1, 1, 3, { unit: 1 }), turn(2, 5, 0, 1, 0, { unit: 1 }), turn(3, 9, 0, 1, 1, { unit: 2 })];
  assert.deepEqual(innings(sets).map(({ unit, turns }) => [unit, turns[0]?.seq, turns[1]?.seq]), [[1, 2, 1], [2, 3, undefined]]);
  assert.deepEqual(innings([]), []);
});

test("of the turn that is played, the sheet says what the picture has shown", () => {
  const side = (points: number) => ({ points });
  const score = (at_s: number, first: number, second: number) => ({ seq: at_s, at_ms: at_s * 1000, state: { sides: [side(first), side(second)] } });
  const entries = [score(0, 0, 0), score(10, 2, 0), score(30, 2, 0), score(60, 2, 0), score(70, 3, 0), score(90, 6, 0), score(120, 9, 0)] as unknown as Entry[];
  const turns = [
    turn(1, 0, 0, 1, 2, { end_ms: 30_000 }),
    turn(3, 30, 1, 1, 0, { end_ms: 60_000, total: 0 }),
    turn(4, 60, 0, 2, 7, { end_ms: 200_000, total: 9 }),
  ];
  const shown = (until_s: number) => turnsAt(turns, entries, until_s * 1000).map(({ points, total, end_ms }) => [points, total, end_ms]);
  assert.deepEqual(shown(65), [[2, 2, 30_000], [0, 0, 60_000], [0, 2, null]]);
  assert.deepEqual(shown(95).at(-1), [4, 6, null]);
  assert.deepEqual(shown(200).at(-1), [7, 9, 200_000]);
  assert.deepEqual(shown(Number.POSITIVE_INFINITY).length, 3);
  const shootout = turn(9, 210, 1, 0, 2, { end_ms: 240_000, phase: "shootout" });
  assert.equal(turnsAt([...turns, shootout], entries, 220_000).length, 3, "it is told when it is over");
});

test("next and previous go by innings", () => {
  assert.equal(turnAt(TURNS, 59_000)?.seq, 4);
  assert.equal(turnAt(TURNS, -1), null);
  assert.equal(neighbour(TURNS, 59_000, "next")?.seq, 5);
  assert.equal(neighbour(TURNS, 200_000, "next"), null);
  assert.equal(neighbour(TURNS, -1, "next")?.seq, 1);
  assert.equal(neighbour(TURNS, 100_000, "previous")?.seq, 5, "back to where it began");
  assert.equal(neighbour(TURNS, 61_000, "previous")?.seq, 4);
  assert.equal(neighbour(TURNS, 1_000, "previous")?.seq, 1);
  assert.equal(neighbour(TURNS, -1, "previous"), null);
});

test("the last three points begin a little before the third last", () => {
  const side = (points: number) => ({ points, run: 0, high_run: 0, innings: 1, average_milli: 0, shootout: null });
  const scores = [0, 1, 1, 2, 3, 0, 1];
  const entries = scores.map((points, n) => ({
    seq: n,
    at_ms: n * 100_000,
    state: { phase: "playing", inning: 1, at_table: 0, winner: null, sides: [side(points), side(0)] },
  })) as unknown as Entry[];
  assert.equal(lastScores(entries, 650_000, 3), 290_000, "a set that begins at nothing is no score");
  assert.equal(lastScores(entries, 450_000, 3), 90_000);
  assert.equal(lastScores(entries, 350_000, 3), 90_000, "as many as there were");
  assert.equal(lastScores(entries, 50_000, 3), null);
});

test("highlights that overlap are one stretch", () => {
  const of = (at_s: number, end_s: number): Highlight => ({ seq: at_s, kind: "run", at_ms: at_s * 1000, end_ms: end_s * 1000, side: 0, points: 5 });
  assert.deepEqual(stretch(of(100, 150)), { from_ms: 100_000 - LEAD_IN_MS, to_ms: 150_000 + LEAD_OUT_MS });
  assert.equal(stretch(of(100, 100)).from_ms, 80_000, "of a moment, what led to it");
  const stretches = reel([of(300, 320), of(100, 150), of(140, 200)]);
  assert.deepEqual(stretches.map(({ from_ms, to_ms }) => [from_ms, to_ms]), [[97_000, 204_000], [297_000, 324_000]]);
});
