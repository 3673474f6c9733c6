import assert from "node:assert/strict";
import { test } from "node:test";
import { BURST_BYTES, Extra, SEGMENT_BYTES, SHARE_MAX, WINDOW_MS } from "../src/extra";

test("a burst may be spent before anything was played, and no more", () => {
  const extra = new Extra();
  assert.equal(extra.hold(BURST_BYTES + 1, 0), false);
  assert.equal(extra.hold(BURST_BYTES, 0), true);
  assert.equal(extra.hold(1, 0), false);
  extra.release(BURST_BYTES);
  extra.spend(BURST_BYTES - 10, 0);
  assert.equal(extra.hold(11, 0), false);
  assert.equal(extra.hold(10, 0), true);
});

test("beyond the burst, two bytes of a hundred played may be spent", () => {
  const extra = new Extra();
  const played = 100_000_000;
  extra.spend(BURST_BYTES, 0);
  extra.media(played, 1_000);
  assert.equal(extra.hold(SHARE_MAX * played + 1, 1_000), false);
  assert.equal(extra.hold(SHARE_MAX * played, 1_000), true);
});

test("both what was played and what was spent leave the window", () => {
  const extra = new Extra();
  extra.media(1e9, 0);
  extra.spend(BURST_BYTES, 0);
  assert.equal(extra.hold(BURST_BYTES + 1, WINDOW_MS / 2), true);
  extra.release(BURST_BYTES + 1);
  assert.equal(extra.hold(BURST_BYTES + 1, WINDOW_MS), false);
  assert.equal(extra.hold(BURST_BYTES, WINDOW_MS), true);
  assert.deepEqual(extra.total, { media: 1e9, extra: BURST_BYTES });
});

test("in no window is more than the share and the burst spent, whoever asks when", () => {
  const extra = new Extra();
  const spent: [number, number][] = [];
  for (let now_ms = 0; now_ms < 3 * WINDOW_MS; now_ms += 2_000) {
    extra.media(SEGMENT_BYTES, now_ms);
    if (!extra.hold(SEGMENT_BYTES, now_ms)) continue;
    extra.spend(SEGMENT_BYTES, now_ms);
    extra.release(SEGMENT_BYTES);
    spent.push([now_ms, SEGMENT_BYTES]);
  }
  const allowed = SHARE_MAX * SEGMENT_BYTES * (WINDOW_MS / 2_000) + BURST_BYTES;
  for (const [from_ms] of spent) {
    const within = spent.filter(([at_ms]) => at_ms >= from_ms && at_ms < from_ms + WINDOW_MS - WINDOW_MS / 20);
    assert.ok(within.reduce((sum, [, bytes]) => sum + bytes, 0) <= allowed);
  }
  assert.ok(spent.length > 10);
});

test("a segment is expected to be as large as the last one", () => {
  const extra = new Extra();
  assert.equal(extra.segment, SEGMENT_BYTES);
  extra.media(123, 0);
  assert.equal(extra.segment, 123);
});
