import assert from "node:assert/strict";
import { test } from "node:test";
import { NODES_REMEMBERED_MAX, OWN_MIN, Patience, PATIENCE_MS, PATIENCE_MS_MAX, PATIENCE_MS_MIN, percentile, REMEMBERED_MAX } from "../src/patience";

function learnt(node: string, ...times: number[]): Patience {
  const patience = new Patience();
  for (const time of times) patience.learn(node, time);
  return patience;
}

test("the 95th percentile is the time that 95 of 100 don't exceed", () => {
  const times = Array.from({ length: 100 }, (_, n) => 100 - n);
  assert.equal(percentile(times, 0.95), 95);
  assert.equal(percentile([7], 0.95), 7);
  assert.equal(percentile([9, 1, 5, 3], 0.5), 3);
});

test("a node is waited for as long as it takes in 95 of 100 cases, within bounds", () => {
  const times = Array.from({ length: 60 }, (_, n) => 200 + n);
  assert.equal(learnt("a", ...times).of("a"), 256);
  assert.equal(learnt("a", ...times.map(() => 3)).of("a"), PATIENCE_MS_MIN);
  assert.equal(learnt("a", ...times.map(() => 30_000)).of("a"), PATIENCE_MS_MAX);
});

test("without experience of it, a node is judged by the others; without any, by a fixed time", () => {
  assert.equal(new Patience().of("a"), PATIENCE_MS);
  assert.equal(learnt("a", 1, 1, 1).of("a"), PATIENCE_MS);
  const known = learnt("a", ...Array.from({ length: OWN_MIN }, () => 400));
  assert.deepEqual([known.of("b"), known.of(null)], [400, 400]);
});

test("what was long ago is forgotten, and so is the node that was heard of longest ago", () => {
  const patience = learnt("a", ...Array.from({ length: REMEMBERED_MAX }, () => 1_500));
  for (let n = 0; n < REMEMBERED_MAX; n += 1) patience.learn("a", 300);
  assert.equal(patience.of("a"), 300);
  for (let n = 0; n < NODES_REMEMBERED_MAX; n += 1) for (let m = 0; m < OWN_MIN; m += 1) patience.learn(`n${n}`, 700);
  assert.equal(patience.of("a"), 700);
});
