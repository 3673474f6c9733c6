import assert from "node:assert/strict";
import { test } from "node:test";
import { Keeper, choices, placeOf, shownAs } from "../src/quality";

test("pictures are chosen by their height, the best first, where there is a choice", () => {
  assert.deepEqual(choices([240, 720, 0, 480, 720]), [720, 480, 240]);
  assert.deepEqual(choices([720]), []);
  assert.deepEqual(choices([0, 720]), []);
  assert.deepEqual(choices([]), []);
});

test("what was chosen is played, or the nearest below it, or else the lowest", () => {
  const heights = [240, 480, 720];
  assert.equal(placeOf(heights, null), -1);
  assert.equal(placeOf(heights, 480), 1);
  assert.equal(placeOf(heights, 500), 1);
  assert.equal(placeOf(heights, 1080), 2);
  assert.equal(placeOf(heights, 100), 0);
  assert.equal(placeOf([720], 240), -1);
});

test("who wants no picture has the sound alone, or the lowest picture where there is no such sound", () => {
  const offer = (heights: number[], alone: boolean) => ({ heights, sounds: [], standard: -1, alone });
  assert.equal(placeOf([240, 480, 720], "sound"), 0);
  assert.equal(placeOf([720], "sound"), -1);
  assert.equal(shownAs(offer([720], true), "sound"), "sound");
  assert.equal(shownAs(offer([720, 240], false), "sound"), "240");
  assert.equal(shownAs(offer([720], false), "sound"), "");
  assert.equal(shownAs(offer([720, 240], true), 240), "240");
  assert.equal(shownAs(offer([720, 240], true), 480), "");
  assert.equal(shownAs(offer([720, 240], true), null), "");
});

test("what was chosen is gone back to a while after it was left, and again after each time", () => {
  const keeper = new Keeper();
  assert.equal(keeper.goesBack(false, true, 0), false);
  assert.equal(keeper.goesBack(true, true, 1_000), false, "it was left at no gap");
  assert.equal(keeper.goesBack(true, false, 8_999), false);
  assert.equal(keeper.goesBack(true, false, 9_000), true);
  assert.equal(keeper.goesBack(true, null, 9_001), false);
  assert.equal(keeper.goesBack(false, null, 9_500), false);
  assert.equal(keeper.goesBack(true, null, 17_100), false, "it was played meanwhile");
  assert.equal(keeper.goesBack(true, null, 25_100), true);
});

test("what was left at a gap is gone back to where it goes on, or where that is not known, a while later", () => {
  const keeper = new Keeper();
  keeper.lacks();
  assert.equal(keeper.goesBack(true, false, 0), false);
  assert.equal(keeper.goesBack(true, false, 60_000), false, "it still lacks what comes next");
  assert.equal(keeper.goesBack(true, true, 60_100), true);
  assert.equal(keeper.goesBack(true, true, 60_200), false, "it has been told");
  assert.equal(keeper.goesBack(false, true, 60_300), false);
  keeper.lacks();
  assert.equal(keeper.goesBack(true, null, 60_400), false);
  assert.equal(keeper.goesBack(true, null, 68_400), true);
});

test("a gap that was passed says nothing of an error later", () => {
  const keeper = new Keeper();
  keeper.lacks();
  assert.equal(keeper.goesBack(false, true, 0), false);
  assert.equal(keeper.goesBack(true, true, 1_000), false);
});
