import assert from "node:assert/strict";
import { test } from "node:test";
import { Reel } from "../src/reel";

const STRETCHES = [
  { from_ms: 10_000, to_ms: 20_000 },
  { from_ms: 60_000, to_ms: 65_000 },
  { from_ms: 90_000, to_ms: 95_000 },
];

test("stretches are played one after another", () => {
  const reel = new Reel();
  assert.equal(reel.play(STRETCHES), 10_000);
  const went: [number, number][] = [];
  // It was beyond the first one, and takes a while to get there.
  let at_ms = 70_000;
  for (let n = 0, to_ms: number | null = 10_000; n < 400; n += 1) {
    if (n === 4 && to_ms !== null) at_ms = to_ms;
    const next = reel.see(at_ms);
    if (next !== null) {
      went.push([at_ms, next]);
      at_ms = next;
    } else if (n >= 4) at_ms += 250;
  }
  assert.deepEqual(went, [[20_000, 60_000], [65_000, 90_000]]);
});

test("who goes elsewhere meanwhile stays there", () => {
  for (const elsewhere_ms of [0, 30_000, 80_000]) {
    const reel = new Reel();
    reel.play(STRETCHES);
    assert.equal(reel.see(10_000), null);
    assert.equal(reel.see(elsewhere_ms), null, "the viewer drags the seek bar");
    for (const later_ms of [elsewhere_ms + 250, 15_000, 20_000, 61_000, 65_000]) assert.equal(reel.see(later_ms), null);
  }
  const reel = new Reel();
  reel.play(STRETCHES);
  reel.stop();
  assert.equal(reel.play([]), null);
  assert.equal(reel.see(20_000), null);
});
