import assert from "node:assert/strict";
import { test } from "node:test";
import { CATCH_UP_RATE, CatchUp, IN_HAND_S, JUMP_S, LATE_MS, LATE_S, NEAR_S, STEADY_MS, type Pace, type Sight } from "../src/catchup";

const FREE: Pace = { rate: null, jump: false };
const FASTER: Pace = { rate: CATCH_UP_RATE, jump: false };
const JUMP: Pace = { rate: null, jump: true };

const sight = (behind_s: number, more: Partial<Sight> = {}): Sight => ({ at_s: 1_000, behind_s, buffered_s: 5, moves: true, ...more });

/** Looks every quarter of a second for so long: what is said other than that hls.js decides. */
function watched(catchUp: CatchUp, seen: Sight, from_ms: number, for_ms: number): Pace[] {
  const said: Pace[] = [];
  for (let ms = 0; ms <= for_ms; ms += 250) said.push(catchUp.look(seen, from_ms + ms));
  return said.filter((pace) => pace.rate !== null || pace.jump);
}

test("who is late for a while plays faster, until hls.js can do the rest", () => {
  const catchUp = new CatchUp();
  assert.deepEqual(watched(catchUp, sight(LATE_S + 1), 0, LATE_MS - 250), []);
  assert.deepEqual(catchUp.look(sight(LATE_S + 1), LATE_MS), FASTER);
  assert.deepEqual(catchUp.look(sight(NEAR_S), LATE_MS + 250), FASTER);
  assert.deepEqual(catchUp.look(sight(NEAR_S - 0.1), LATE_MS + 500), FREE);
  assert.deepEqual(catchUp.look(sight(LATE_S - 0.1), LATE_MS + 750), FREE, "it must be late again first");
});

test("a moment's lateness is none", () => {
  const catchUp = new CatchUp();
  for (let ms = 0; ms < 60_000; ms += LATE_MS) {
    assert.deepEqual(watched(catchUp, sight(JUMP_S + 5), ms, LATE_MS - 500), []);
    assert.deepEqual(catchUp.look(sight(NEAR_S), ms + LATE_MS - 250), FREE);
  }
});

test("with little in hand it does not play faster", () => {
  const catchUp = new CatchUp();
  watched(catchUp, sight(LATE_S + 1), 0, LATE_MS);
  assert.deepEqual(catchUp.look(sight(LATE_S + 1, { buffered_s: IN_HAND_S }), LATE_MS + 250), { rate: 1, jump: false });
  assert.deepEqual(catchUp.look(sight(LATE_S + 1), LATE_MS + 500), FASTER);
});

test("who is far behind jumps, once", () => {
  const catchUp = new CatchUp();
  assert.deepEqual(watched(catchUp, sight(JUMP_S + 1), 0, LATE_MS), [JUMP]);
  // It did not help: it plays faster, and never jumps again.
  const said = watched(catchUp, sight(JUMP_S + 1), LATE_MS + 250, 10 * STEADY_MS);
  assert.ok(said.length > 0 && said.every((pace) => !pace.jump && pace.rate === CATCH_UP_RATE));
});

test("after a while at the live position it may jump again, and not before", () => {
  for (const [steady_ms, expected] of [
    [STEADY_MS, [JUMP]],
    [STEADY_MS - 250, [FASTER]],
  ] as const) {
    const catchUp = new CatchUp();
    assert.deepEqual(watched(catchUp, sight(JUMP_S + 1), 0, LATE_MS), [JUMP]);
    assert.deepEqual(watched(catchUp, sight(1), LATE_MS + 250, steady_ms), []);
    const again_ms = LATE_MS + 500 + steady_ms;
    assert.deepEqual(watched(catchUp, sight(JUMP_S + 1), again_ms, LATE_MS), expected);
  }
});

test("who went back or paused stays where he is, until he is live again", () => {
  for (const go of [(catchUp: CatchUp) => catchUp.paused(), (catchUp: CatchUp) => catchUp.seeks(980)]) {
    const catchUp = new CatchUp();
    catchUp.look(sight(1), 0);
    go(catchUp);
    assert.deepEqual(watched(catchUp, sight(20), 250, STEADY_MS), []);
    catchUp.live();
    assert.deepEqual(watched(catchUp, sight(20), 250 + STEADY_MS, LATE_MS), [JUMP]);
  }
  // A pause that is hardly longer than a moment is no wish to be behind.
  const catchUp = new CatchUp();
  catchUp.paused();
  catchUp.look(sight(LATE_S - 1), 0);
  assert.deepEqual(watched(catchUp, sight(LATE_S + 1), 250, LATE_MS), [FASTER]);
});

test("what hls.js seeks to, ahead, is nobody's wish", () => {
  const catchUp = new CatchUp();
  catchUp.look(sight(1), 0);
  catchUp.seeks(1_000.2);
  catchUp.seeks(999.9);
  assert.deepEqual(watched(catchUp, sight(20), 250, LATE_MS), [JUMP]);
  // Nor is where another picture begins.
  const other = new CatchUp();
  other.look(sight(1), 0);
  other.begin();
  other.seeks(3);
  assert.deepEqual(watched(other, sight(20), 250, LATE_MS), [JUMP]);
});

test("a picture that stands still is not hurried", () => {
  const catchUp = new CatchUp();
  assert.deepEqual(watched(catchUp, sight(20, { moves: false }), 0, STEADY_MS), []);
  // It goes on: what it waited does not count.
  assert.deepEqual(watched(catchUp, sight(20), STEADY_MS + 250, LATE_MS - 250), []);
});
