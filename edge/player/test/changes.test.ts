import assert from "node:assert/strict";
import { test } from "node:test";
import { AGAIN_MS, Changes, SPREAD_MS } from "../src/changes";

test("another word is looked into once it was said twice in a row, at a moment of this viewer's own", () => {
  const changes = new Changes(() => 0.5);
  changes.plays("a");
  changes.hears("a", 0);
  changes.hears("b", 1_000);
  assert.equal(changes.isDue(9_000), false, "it was said once");
  changes.hears("a", 9_000);
  changes.hears("b", 10_000);
  changes.hears("c", 11_000);
  assert.equal(changes.isDue(20_000), false, "each was said once");
  changes.hears("c", 20_000);
  assert.equal(changes.isDue(20_000 + SPREAD_MS / 2 - 1), false);
  assert.equal(changes.isDue(20_000 + SPREAD_MS / 2), true);
  assert.equal(changes.isDue(20_000 + SPREAD_MS), false, "it is asked once");
});

test("what came to nothing is looked into again after a while, and what is played now no more", () => {
  const changes = new Changes(() => 0);
  changes.plays("a");
  for (const at_ms of [0, 1]) changes.hears("b", at_ms);
  assert.equal(changes.isDue(1), true);
  for (const at_ms of [2, 3]) changes.hears("b", at_ms);
  assert.equal(changes.isDue(AGAIN_MS), false);
  assert.equal(changes.isDue(1 + AGAIN_MS), true);
  changes.plays("b");
  assert.equal(changes.played, "b");
  for (const at_ms of [0, 1]) changes.hears("b", AGAIN_MS * 3 + at_ms);
  assert.equal(changes.isDue(AGAIN_MS * 9), false);
});

test("an edge that says nothing changes nothing", () => {
  const changes = new Changes(() => 0);
  for (const played of [null, "a"]) {
    changes.plays(played);
    for (const at_ms of [0, 1, 2]) changes.hears(played === null ? "b" : null, at_ms);
    assert.equal(changes.isDue(AGAIN_MS), false);
  }
});

test("where there is only less, it is taken when the next look finds the same, unless what plays is all there again between", () => {
  const changes = new Changes(() => 0);
  changes.plays("a");
  assert.equal(changes.takes("a", false), false, "it is what plays");
  assert.equal(changes.takes("b", false), true, "it is something else");
  assert.equal(changes.takes("b", true), false);
  assert.equal(changes.takes("c", true), false, "it is less again");
  assert.equal(changes.takes("c", true), true);
  assert.equal(changes.takes("b", true), false);
  changes.hears("a", 0);
  assert.equal(changes.takes("b", true), false, "all was there again");
  changes.plays("d");
  assert.equal(changes.takes("b", true), false, "something else plays");
  assert.equal(changes.takes(null, true), false);
  assert.equal(changes.takes(null, true), false, "an edge of before says no word");
});
