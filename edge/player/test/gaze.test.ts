import assert from "node:assert/strict";
import { test } from "node:test";
import { Gaze, placeOf } from "../src/gaze";

const LINE = { left: 100, width: 216 };

test("where a pointer rests, another moment is seen when the window has moved on", () => {
  const gaze = new Gaze();
  gaze.point(placeOf(0.25, LINE));
  assert.equal(gaze.moment({ from: 40, to: 80 }, LINE), 50);
  assert.equal(gaze.moment({ from: 46, to: 86 }, LINE), 56);
  // So it is when the bar has moved.
  assert.equal(gaze.moment({ from: 40, to: 80 }, { left: 50, width: 216 }), 60);
});

test("a moment that was gone to stays what it is while the window holds it", () => {
  const gaze = new Gaze();
  gaze.point(300);
  gaze.goTo(50);
  assert.equal(gaze.moment({ from: 40, to: 80 }, LINE), 50);
  assert.equal(gaze.moment({ from: 46, to: 86 }, LINE), 50);
  assert.equal(gaze.moment({ from: 52, to: 92 }, LINE), 52);
});

test("beside the bar are its ends, and nobody looks before and after", () => {
  const gaze = new Gaze();
  assert.deepEqual([gaze.away, gaze.moment({ from: 40, to: 80 }, LINE)], [true, null]);
  for (const [x_px, at_s] of [[0, 40], [100, 40], [316, 80], [999, 80]] as const) {
    gaze.point(x_px);
    assert.equal(gaze.moment({ from: 40, to: 80 }, LINE), at_s);
  }
  assert.equal(gaze.away, false);
  gaze.leave();
  assert.deepEqual([gaze.away, gaze.moment({ from: 40, to: 80 }, LINE)], [true, null]);
});
