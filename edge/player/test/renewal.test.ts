import assert from "node:assert/strict";
import { test } from "node:test";
import { AGAIN_MS, HOUR_MS, parseLife, renewIn } from "../src/renewal";

test("a session is renewed when less than a quarter of its life is left", () => {
  const life = { begun_ms: 1_000_000, expires_ms: 1_000_000 + 4 * HOUR_MS };
  assert.equal(renewIn(life, 0, 1_000_000), 3 * HOUR_MS);
  assert.equal(renewIn(life, 0, 1_000_000 + 3 * HOUR_MS - 1), 1);
  assert.equal(renewIn(life, 0, 1_000_000 + 3 * HOUR_MS), 0);
  assert.equal(renewIn(life, 0, 1_000_000 + 9 * HOUR_MS), 0);
});

test("one of unknown life is renewed each hour", () => {
  assert.equal(renewIn(null, 5_000, 5_000), HOUR_MS);
  assert.equal(renewIn(null, 5_000, 5_000 + HOUR_MS), 0);
});

test("after a try there is a pause", () => {
  const life = { begun_ms: 0, expires_ms: 1_000 };
  assert.equal(renewIn(life, 900, 900), AGAIN_MS);
  assert.equal(renewIn(life, 900, 900 + AGAIN_MS), 0);
});

test("what was kept is read, or is nothing", () => {
  assert.deepEqual(parseLife('{"begun_ms":1,"expires_ms":2}'), { begun_ms: 1, expires_ms: 2 });
  for (const text of [null, "", "x", "null", "7", "{}", '{"begun_ms":2,"expires_ms":1}', '{"begun_ms":"1","expires_ms":2}']) assert.equal(parseLife(text), null, String(text));
});
