import assert from "node:assert/strict";
import { test } from "node:test";
import { DRAWN, countryName } from "../src/flags";
import { parseScore, type Match, type ScoreState } from "../src/score";
import { choose } from "../src/texts";
import { about, figure, figures, heading, rests, result, shotClock, spoken, stands, target } from "../src/wording";

choose("en");

/** A document of one entry: what is not said is as in a match of three-cushion. */
function score(match: Record<string, unknown>, state: Record<string, unknown>, sides: Record<string, unknown>[] = [{}, {}]): [Match, ScoreState] {
  const side = { points: 0, run: 0, high_run: 0, innings: 1, average_milli: 0, shootout: null };
  const document = parseScore({
    match: "m",
    revision: 1,
    title: "Final",
    discipline: "three-cushion",
    target: 40,
    sides: [{ name: "Nelin", country: "SE" }, { name: "Cho", country: "KR" }],
    ...match,
    entries: [{ seq: 1, at: 90, state: { phase: "playing", inning: 1, at_table: 0, winner: null, ...state, sides: sides.map((one) => ({ ...side, ...one })) } }],
  });
  const entry = document?.entries[0];
  assert.ok(document !== null && entry !== undefined);
  return [document, entry.state];
}

test("a match says what it is about", () => {
  const of = (match: Record<string, unknown>) => about(score(match, {})[0]);
  assert.deepEqual(of({}), ["Three-cushion", "to 40 points"]);
  assert.deepEqual(of({ discipline: "balkline", variant: "47/2", target: [200, 120] }), ["Balkline 47/2", "to 200 / 120 points"]);
  assert.deepEqual(of({ discipline: "nine-ball", target: null, unit: "rack", length: { race_to: 9 } }), ["Nine-ball", "race to 9"]);
  assert.deepEqual(of({ discipline: "eight-ball", target: null, unit: "rack", length: { race_to: [7, 5] } }), ["Eight-ball", "race to 7 / 5"]);
  assert.deepEqual(of({ discipline: "snooker", target: null, unit: "frame", length: { best_of: 7 } }), ["Snooker", "best of 7"]);
  assert.deepEqual(of({ discipline: "a-new-one", target: null }), ["a-new-one"]);
  assert.equal(target(score({ target: [40, 30] }, {})[0]), "to 40 / 30");
});

test("each game shows the figures that it has", () => {
  const [carom, playing] = score({}, {});
  assert.deepEqual(figures(carom, playing), ["points", "innings", "average", "high_run", "run"]);
  const sets = score({ unit: "set" }, { unit: 2 }, [{ won: 1, points: 3 }, { won: 0 }]);
  assert.deepEqual(figures(...sets), ["won", "points", "innings", "average", "high_run", "run"]);
  assert.deepEqual([heading(sets[0], "won"), figure(sets[1].sides[0], "won")], ["Sets", "1"]);
  const racks = score({ discipline: "nine-ball", unit: "rack", average: false, target: null }, { inning: 0, unit: 4 }, [{ won: 2, innings: 0 }, { won: 1, innings: 0 }]);
  assert.deepEqual(figures(...racks), ["won"]);
  const pins = score({ discipline: "five-pins", unit: "set", average: false }, { unit: 1 }, [{ won: 0, points: 12, fouls: 1 }, { won: 0 }]);
  assert.deepEqual(figures(...pins), ["won", "points", "innings", "high_run", "run", "fouls"]);
  assert.equal(figure(score({}, {}, [{ average_milli: 1818 }, {}])[1].sides[0], "average"), "1.818");
});

test("where a match stands, and why nobody plays", () => {
  const of = (state: Record<string, unknown>, match: Record<string, unknown> = {}) => {
    const made = score(match, state);
    return [stands(...made), rests(...made)];
  };
  assert.deepEqual(of({ inning: 3 }), ["Inning 3", ""]);
  assert.deepEqual(of({ inning: 3, unit: 2 }, { unit: "set" }), ["Set 2 · Inning 3", ""]);
  assert.deepEqual(of({ inning: 0, unit: 5 }, { unit: "rack" }), ["Rack 5", ""]);
  assert.deepEqual(of({ inning: 5, unit: 5, phase: "between" }, { unit: "frame" }), ["Frame 5", ""]);
  assert.deepEqual(of({ phase: "extension" }), ["Extension", ""]);
  assert.deepEqual(of({ phase: "shootout" }), ["Shootout", ""]);
  assert.deepEqual(of({ phase: "finished", paused: {} }), ["Final score", ""]);
  assert.deepEqual(of({ paused: { side: 1 } }), ["Inning 1", "Time-out: Cho"]);
  assert.deepEqual(of({ paused: {} }), ["Inning 1", "Play rests"]);
  assert.deepEqual(of({ break_due: true }), ["Inning 1", "Break is due"]);
});

test("a shot clock counts from its entry on, and stands when it does", () => {
  const of = (clock: unknown, after_ms: number, phase = "playing") => shotClock(score({}, { shot_clock: clock, phase })[1], after_ms);
  const running = { running: true, deadline: 5, remaining_ms: 40_000 };
  assert.deepEqual([0, 1, 999, 1_000, 39_999, 40_000, 90_000, -500].map((ms) => of(running, ms)), [40, 40, 40, 39, 1, 0, 0, 40]);
  assert.equal(of({ running: false, deadline: null, remaining_ms: 12_300 }, 50_000), 13);
  assert.equal(of(null, 0), null);
  assert.equal(of(running, 0, "finished"), null);
});

test("a screen reader hears who leads, who plays, and who won", () => {
  const [match, state] = score({}, { inning: 5 }, [{ points: 1 }, { points: 9 }]);
  assert.equal(spoken(match, state), "Nelin 1, Cho 9. Inning 5. Nelin is at the table.");
  const tied = { ...state, phase: "shootout" as const, at_table: null };
  tied.sides[0].shootout = 2;
  tied.sides[1].shootout = 5;
  assert.equal(spoken(match, tied), "Nelin 1, Cho 9. Shootout 2 to 5. Shootout.");
  assert.equal(spoken(match, { ...tied, phase: "finished", winner: 1 }), "Nelin 1, Cho 9. Shootout 2 to 5. Cho wins.");
  const racks = score({ unit: "rack", discipline: "ten-ball", target: null }, { inning: 0, unit: 4, at_table: null }, [{ won: 2 }, { won: 1 }]);
  assert.equal(spoken(...racks), "Racks: Nelin 2, Cho 1. Rack 4.");
  choose("fr");
  assert.equal(spoken(match, { ...state, sides: state.sides }).startsWith("Nelin 1, Cho 9. "), true);
  choose("en");
});

test("what is over of a match is read with its bounds", () => {
  const [match] = score({ unit: "set", units: [{ at: 180, winner: 0, points: [15, 9], innings: [9, 9] }, { at: "x" }, null, { at: 1, points: [1] }] }, {});
  assert.deepEqual(match.units, [{ at_ms: 2, winner: 0, points: [15, 9] }]);
  assert.deepEqual(match.units.map(result), ["15–9"]);
});

test("at least forty countries have a flag, and every one a name", () => {
  assert.ok(DRAWN.length >= 40);
  for (const code of DRAWN) assert.notEqual(countryName(code, "en"), code, code);
  assert.equal(countryName("KR", "fr"), "Corée du Sud");
  assert.equal(countryName("nowhere", "en"), "nowhere");
});
