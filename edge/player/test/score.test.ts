import assert from "node:assert/strict";
import { test } from "node:test";
import { ENTRIES_MAX, parseScore, ScoreLog, TEXT_LEN_MAX, type ScoreDocument } from "../src/score";

const side = (points: number) => ({ points, run: 0, high_run: 6, innings: 5, average_milli: 1800, shootout: null });
const entry = (seq: number, at_ms: number, points = seq) => ({
  seq,
  at: at_ms * 90,
  pdt: "2026-11-20T10:52:00.040Z",
  state: { phase: "playing", inning: 5, at_table: 0, winner: null, sides: [side(points), side(9)] },
});
const raw = (match: string, revision: number, entries: unknown[]) => ({
  channel: "table-1",
  match,
  revision,
  updated: 1,
  title: "World Cup final",
  discipline: "three-cushion",
  target: 40,
  sides: [
    { name: "Torbjörn Blomdahl", country: "SE" },
    { name: "Dick Jaspers", country: "NL" },
  ],
  entries,
});
const read = (match: string, revision: number, entries: unknown[]): ScoreDocument => {
  const document = parseScore(raw(match, revision, entries));
  assert.ok(document);
  return document;
};

test("the score of a picture is the newest entry not later than it", () => {
  const log = new ScoreLog();
  assert.equal(log.take(read("m", 1, [entry(1, 1_000), entry(2, 2_000), entry(3, 2_000), entry(4, 3_000.5)]), null), "more");
  for (const [at_ms, seq] of [
    [999, undefined],
    [1_000, 1],
    [1_999.9, 1],
    [2_000, 3],
    [3_000, 3],
    [3_001, 4],
    [9e15, 4],
  ] as const) {
    assert.equal(log.entryAt(at_ms)?.seq, seq, String(at_ms));
  }
});

test("partial documents add up; an older copy and a repetition change nothing", () => {
  const log = new ScoreLog();
  log.take(read("m", 5, [entry(1, 1_000), entry(2, 2_000)]), null);
  assert.equal(log.last, 2);
  log.take(read("m", 6, [entry(3, 3_000)]), 2);
  log.take(read("m", 6, [entry(3, 3_000)]), 2);
  log.take(read("m", 5, [entry(2, 2_000, 99)]), null);
  assert.equal(log.last, 3);
  assert.deepEqual([1_500, 2_500, 3_500].map((at) => log.entryAt(at)?.state.sides[0].points), [1, 2, 3]);
});

test("after an undo the edge sends everything, and what was undone is gone", () => {
  const log = new ScoreLog();
  log.take(read("m", 5, [entry(1, 1_000), entry(2, 2_000), entry(3, 3_000)]), null);
  log.take({ ...read("m", 6, [entry(1, 1_000), entry(2, 2_000), entry(4, 4_000, 2)]), rewritten: 4 }, 3);
  assert.equal(log.last, 4);
  assert.deepEqual([3_500, 4_500].map((at) => log.entryAt(at)?.state.sides[0].points), [2, 2]);
});

test("an older copy in between, and what is told twice after it, lose nothing", () => {
  const log = new ScoreLog();
  log.take(read("m", 5, [entry(1, 1_000), entry(2, 2_000), entry(3, 3_000)]), null);
  log.take(read("m", 4, [entry(1, 1_000), entry(2, 2_000)]), 3);
  log.take(read("m", 6, [entry(3, 3_000), entry(4, 4_000)]), 3);
  assert.deepEqual(log.entries.map(({ seq }) => seq), [1, 2, 3, 4]);
});

test("another match begins anew, and is asked for as a whole", () => {
  const log = new ScoreLog();
  log.take(read("one", 5, [entry(1, 1_000), entry(7, 2_000)]), null);
  // The edge was asked for what comes after 7: the new match's first entries are not in its answer.
  assert.equal(log.take(read("two", 6, []), 7), "whole");
  assert.deepEqual([log.last, log.match], [null, null]);
  assert.equal(log.take(read("two", 6, [entry(1, 9_000)]), null), "more");
  assert.equal(log.match?.match, "two");
  assert.equal(log.entryAt(5_000), null);
  assert.equal(log.entryAt(9_000)?.seq, 1);
});

test("the log is bounded; the first and the newest entries stay", () => {
  const log = new ScoreLog();
  for (let seq = 1; seq <= ENTRIES_MAX + 50; seq += 100) {
    const batch = Array.from({ length: 100 }, (_, i) => entry(seq + i, (seq + i) * 1_000));
    log.take(read("m", seq, batch), seq === 1 ? null : seq - 1);
  }
  const newest = log.last ?? 0;
  assert.ok(newest > ENTRIES_MAX);
  assert.equal(log.entryAt(1_500)?.seq, 1);
  assert.equal(log.entryAt(2_500)?.seq, 1);
  assert.equal(log.entryAt(newest * 1_000)?.seq, newest);
});

test("what is no score document is none, and what can't be read is left out", () => {
  for (const bad of [null, 1, "x", [], {}, { match: "m" }, { match: 1, entries: [] }]) assert.equal(parseScore(bad), null);
  const broken = [null, {}, { seq: 1 }, { ...entry(1, 1), at: "1" }, { ...entry(1, 1), state: { sides: [side(1)] } }];
  const document = read("m", 1, [...broken, entry(9, 9)]);
  assert.deepEqual(document.entries.map(({ seq }) => seq), [9]);
  const long = parseScore({ match: "m", entries: [], sides: [{ name: "x".repeat(500) }] });
  assert.equal(long?.sides[0].name.length, TEXT_LEN_MAX);
  assert.equal(long?.sides[1].name, "");
  assert.equal(long?.target, null);
});
