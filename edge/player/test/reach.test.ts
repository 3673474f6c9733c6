import assert from "node:assert/strict";
import { test } from "node:test";
import { AHEAD_MS, AHEAD_MS_MIN, clipLink, clipOf, Reach, runsOut, SCORE_AHEAD_MS, SKIP_MS_MAX, withUntil } from "../src/reach";

test("what may be known goes ahead with the picture, and never back", () => {
  const reach = new Reach(1_000_000, AHEAD_MS);
  assert.deepEqual([reach.until_ms, reach.seen_ms, reach.score_ms], [1_000_000 + AHEAD_MS, 1_000_000, 1_000_000 + SCORE_AHEAD_MS]);
  reach.see(1_030_000);
  assert.equal(reach.until_ms, 1_030_000 + AHEAD_MS);
  reach.see(1_010_000);
  assert.deepEqual([reach.until_ms, reach.seen_ms], [1_030_000 + AHEAD_MS, 1_030_000]);
  reach.see(9_000_000);
  assert.equal(reach.seen_ms, 1_030_000, "nobody can see what was not listed");
});

test("a skip goes ahead by as much as was asked for, within bounds", () => {
  const reach = new Reach(0, AHEAD_MS);
  assert.equal(reach.skip(5_000, 60_000), 65_000);
  assert.deepEqual([reach.until_ms, reach.seen_ms, reach.score_ms], [65_000 + AHEAD_MS, 0, SCORE_AHEAD_MS]);
  reach.see(65_100);
  assert.equal(reach.score_ms, 65_100 + SCORE_AHEAD_MS);
  assert.equal(reach.skip(70_000, 1e12), 70_000 + SKIP_MS_MAX);
  assert.equal(reach.skip(70_000, -5), 70_000);
});

test("who begins to watch a short recording is not told how short it is", () => {
  // Of each length, when the viewer is first told of its end.
  for (const [length_s, told_s] of [[20, 0], [30, 7], [60, 27], [120, 67], [600, 480]] as const) {
    const reach = new Reach(1_000_000);
    let at_s = 0;
    while (reach.until_ms < 1_000_000 + length_s * 1000) reach.see(1_000_000 + (at_s += 1) * 1000);
    assert.equal(at_s, told_s, `${length_s} s`);
  }
  const reach = new Reach(0);
  assert.equal(reach.until_ms, AHEAD_MS_MIN);
  assert.equal(reach.skip(0, 60_000), 60_000);
  assert.equal(reach.until_ms, 60_000 + AHEAD_MS_MIN + 30_000);
});

test("a player of one address is given more before what it has is over, at the same place, and seldom", () => {
  const reach = new Reach(0, AHEAD_MS);
  let [given_ms, times] = [reach.until_ms, 0];
  for (let at_ms = 0; at_ms < 3_600_000; at_ms += 250) {
    reach.see(at_ms);
    assert.ok(at_ms < given_ms, `it stops at ${at_ms}`);
    if (!runsOut(given_ms, reach.until_ms, at_ms)) continue;
    [given_ms, times] = [reach.until_ms, times + 1];
  }
  assert.equal(times, 39);
  // Somebody who skips ahead is where it knows nothing.
  assert.ok(runsOut(given_ms, given_ms + 60_000, given_ms + 10_000));
  // All of it, and as much as may be known, is not replaced.
  assert.ok(!runsOut(null, null, 1e9) && !runsOut(null, 5, 1e9) && !runsOut(given_ms, given_ms, given_ms));
});

test("whoever is to know nothing later may go anywhere in a clip, and knows no more of it", () => {
  const reach = new Reach(1_000_000);
  reach.allow(1_400_000);
  assert.deepEqual([reach.until_ms, reach.score_ms], [1_400_000, 1_000_000 + SCORE_AHEAD_MS]);
  reach.see(1_390_000);
  assert.deepEqual([reach.seen_ms, reach.score_ms], [1_390_000, 1_390_000 + SCORE_AHEAD_MS]);
});

test("a clip is two times in an address", () => {
  assert.deepEqual(clipOf("?from=1000&to=2000"), { from_ms: 1000, to_ms: 2000 });
  for (const bad of ["", "?from=1", "?from=2&to=1", "?from=-1&to=5", "?from=1e3&to=5000", "?from=1&to=99999999999999999"]) assert.equal(clipOf(bad), null, bad);
  const link = clipLink("https://e.test", "/watch/table-1/r-1", { from_ms: 1000.7, to_ms: 2000.2 });
  assert.equal(link, "https://e.test/watch/table-1/r-1?from=1000&to=2001");
});

test("playlists are asked for as far as was seen by now", () => {
  assert.equal(withUntil("https://e.test/a.m3u8?until=5&_HLS_skip=YES", 70), "https://e.test/a.m3u8?until=70&_HLS_skip=YES");
  assert.equal(withUntil("https://e.test/a.m3u8?x=until=5", 70), "https://e.test/a.m3u8?x=until=5");
  assert.equal(withUntil("https://e.test/a.m3u8?until=5", null), "https://e.test/a.m3u8?until=5");
});
