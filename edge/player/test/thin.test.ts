import assert from "node:assert/strict";
import { test } from "node:test";
import { Thin } from "../src/thin";

/** What comes from a node that was asked at this moment; before its first byte, with none. */
const coming = (start: number, loaded = 1_000, aborted = false) => ({ stats: { aborted, loaded, loading: { start } } });

/** Segments of two seconds, one after the other, that take so long. */
function after(...took_ms: number[]): { thin: Thin; now_ms: number } {
  const thin = new Thin();
  let now_ms = 0;
  for (const took of took_ms) {
    thin.asks(coming(now_ms), 2_000);
    now_ms += took;
    thin.ends(true, now_ms);
  }
  return { thin, now_ms };
}

const is = (...took_ms: number[]): boolean => {
  const { thin, now_ms } = after(...took_ms);
  return thin.look(now_ms);
};

test("a line is too thin once three segments in a row came slower than they play", () => {
  assert.equal(is(2_100, 2_100), false);
  assert.equal(is(2_100, 1_900, 2_100, 2_100), false);
  assert.equal(is(2_100, 2_100, 2_100), true);
});

test("and stays so until three in a row came faster", () => {
  assert.equal(is(2_100, 2_100, 2_100, 500, 500), true);
  assert.equal(is(2_100, 2_100, 2_100, 500, 500, 500), false);
});

test("one that has been coming for as long as several play counts as several, and one that was given up as slow", () => {
  const { thin, now_ms } = after(2_100);
  thin.asks(coming(now_ms), 2_000);
  assert.equal(thin.look(now_ms + 3_999), false);
  assert.equal(thin.look(now_ms + 4_000), true);
  thin.ends(false, now_ms + 3_000);
  assert.equal(thin.look(now_ms + 9_000), false, "nothing is under way");
  thin.asks(coming(now_ms + 9_000), 2_000);
  thin.ends(false, now_ms + 9_100);
  thin.asks(coming(now_ms + 10_000), 2_000);
  thin.ends(true, now_ms + 12_001);
  assert.equal(thin.look(now_ms + 12_001), true, "what was left soon says nothing");
  thin.forget();
  assert.equal(thin.look(now_ms + 90_000), false);
});

test("what nobody waits for any longer, as after a jump or without a session, says nothing", () => {
  const { thin, now_ms } = after(2_100, 2_100);
  thin.asks(coming(now_ms, 1_000, true), 2_000);
  assert.equal(thin.look(now_ms + 90_000), false);
});

test("nodes that fail are no fault of the line's", () => {
  const { thin, now_ms } = after(2_100, 2_100);
  thin.asks(coming(now_ms, 0), 2_000);
  assert.equal(thin.look(now_ms + 90_000), false, "no byte came");
  thin.ends(true, now_ms + 90_000);
  thin.asks(coming(now_ms + 90_000), 2_000);
  thin.fails();
  thin.ends(false, now_ms + 99_000);
  assert.equal(thin.look(now_ms + 99_000), false, "none had it");
  const late = coming(now_ms + 104_000);
  thin.asks(late, 2_000);
  thin.ends(true, now_ms + 104_500);
  assert.equal(thin.look(now_ms + 104_500), false, "it came fast from the one that was asked last");
});
