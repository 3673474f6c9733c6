import assert from "node:assert/strict";
import { test } from "node:test";
import { BEGINNING_BYTES_MAX, coding, keyFrame } from "../src/keyframe";
import { AVC_RECORD, box, init, segment } from "./boxes";

const KEY = Array.from({ length: 300 }, (_, n) => n % 251);

test("an init segment says how its video is coded, whichever track it is", () => {
  assert.deepEqual(coding(init("avc1", "avcC", AVC_RECORD)), { track: 1, codec: "avc1.4d401f", description: new Uint8Array(AVC_RECORD), lead: new Uint8Array(0) });
  assert.equal(coding(init("avc1", "avcC", AVC_RECORD, 9))?.track, 9);
});

test("of HEVC the playlist knows the codec, and of AV1 the record's units come before the picture", () => {
  assert.deepEqual(coding(init("hvc1", "hvcC", [1, 2, 3])), { track: 1, codec: "", description: new Uint8Array([1, 2, 3]), lead: new Uint8Array(0) });
  assert.deepEqual(coding(init("av01", "av1C", [0x81, 5, 0xc, 0, 10, 11])), { track: 1, codec: "", description: null, lead: new Uint8Array([10, 11]) });
});

test("without a video track that is known there is no coding", () => {
  assert.equal(coding(init("mp4a", "esds", [1])), null);
  assert.equal(coding(new Uint8Array(0)), null);
  assert.equal(coding(init("avc1", "avcC", AVC_RECORD).subarray(0, 200)), null);
});

test("a key frame is found whatever stands before it, and however its length is said", () => {
  for (const shape of [{}, { same: true }, { before: box("emsg", [1, 2, 3]) }]) {
    assert.deepEqual(keyFrame(segment(KEY, 49, shape), 1), { what: "frame", bytes: new Uint8Array(KEY) });
  }
});

test("a beginning of any length says how much it takes, and so ends with the key frame", () => {
  const whole = segment(KEY, 49);
  for (let len = 0; len < whole.length; len += 1) {
    let [have, rounds] = [len, 0];
    for (let found = keyFrame(whole.subarray(0, have), 1); found.what !== "frame"; found = keyFrame(whole.subarray(0, have), 1)) {
      assert.ok(found.what === "more" && found.len > have && found.len <= whole.length, `${have}: ${JSON.stringify(found)}`);
      have = found.len;
      rounds += 1;
    }
    // The heads of two boxes, the `moof`, and the frame.
    assert.ok(rounds <= 5);
  }
});

test("what begins with no key frame, or is no segment, has none", () => {
  assert.deepEqual(keyFrame(segment(KEY, 49, { dependent: true }), 1), { what: "nothing" });
  assert.deepEqual(keyFrame(segment(KEY, 49), 3), { what: "nothing" });
  assert.deepEqual(keyFrame(new Uint8Array(64), 1), { what: "nothing" });
  assert.deepEqual(keyFrame(new Uint8Array(64).fill(0xff), 1), { what: "nothing" });
  const large = segment(KEY, 1);
  // A `styp` that is longer than anything that would be read.
  large.set([BEGINNING_BYTES_MAX >>> 24, (BEGINNING_BYTES_MAX >>> 16) & 0xff, 0, 16], 0);
  assert.deepEqual(keyFrame(large, 1), { what: "nothing" });
});

test("bytes that were changed anywhere are read to an end", () => {
  const whole = segment(KEY.slice(0, 20), 3);
  for (let at = 0; at < whole.length; at += 1) {
    for (const value of [0, 1, 0x7f, 0xff]) {
      const changed = whole.slice();
      changed[at] = value;
      assert.ok(keyFrame(changed, 1).what.length > 0);
    }
  }
});
