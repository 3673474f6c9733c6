import assert from "node:assert/strict";
import { test } from "node:test";
import { clock, length, parseReplay } from "../src/replays";

test("a recording is read or left out", () => {
  const good = { id: "20261120t105200z", title: "Final", start: "2026-11-20T10:52:00.040Z", duration: 3725.9, live: false };
  assert.deepEqual(parseReplay(good), { id: good.id, title: "Final", start_ms: 1_795_171_920_040, duration_s: 3725, live: false });
  for (const bad of [{ id: 7 }, { id: "" }, { id: "../x" }, { id: "A" }, { start: "yesterday" }, { start: null }]) {
    assert.equal(parseReplay({ ...good, ...bad }), null, JSON.stringify(bad));
  }
  assert.equal(parseReplay({ ...good, duration: -1 })?.duration_s, 0);
  assert.equal(parseReplay({ ...good, title: "x".repeat(500) })?.title.length, 200);
});

test("lengths and positions", () => {
  for (const [s, text] of [[0, "0 s"], [45, "45 s"], [60, "1 min"], [3599, "1 h 00 min"], [3900, "1 h 05 min"], [43_200, "12 h 00 min"]] as const) {
    assert.equal(length(s), text);
  }
  for (const [s, text] of [[-1, "0:00"], [7.9, "0:07"], [754, "12:34"], [3723, "1:02:03"]] as const) assert.equal(clock(s), text);
});
