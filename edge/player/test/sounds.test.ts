import assert from "node:assert/strict";
import { test } from "node:test";
import { placeOf, wording } from "../src/sounds";

const ENGLISH = { name: "English", language: "en" };
const KOREAN = { name: "Korean commentary", language: "ko" };
const HALL = { name: "Hall", language: "" };

test("what was chosen plays: the same sound, or else one in its language, or else the default", () => {
  const sounds = [ENGLISH, KOREAN, HALL];
  assert.equal(placeOf(sounds, null), -1);
  assert.equal(placeOf(sounds, KOREAN), 1);
  assert.equal(placeOf(sounds, HALL), 2);
  assert.equal(placeOf(sounds, { name: "Korean, of another channel", language: "ko" }), 1);
  assert.equal(placeOf(sounds, { name: "French", language: "fr" }), -1);
  assert.equal(placeOf(sounds, { name: "Table", language: "" }), -1);
  assert.equal(placeOf([KOREAN], KOREAN), -1);
});

test("a sound that has no name but its language's tag is called as the viewer calls that language", () => {
  assert.equal(wording(KOREAN, "en"), "Korean commentary");
  assert.equal(wording({ name: "ko", language: "ko" }, "en"), "Korean");
  assert.equal(wording({ name: "ko", language: "ko" }, "ko"), "한국어");
  assert.equal(wording({ name: "1", language: "" }, "en"), "1");
});
