// What a score is called and said, in the chosen language. No drawing.

import type { Match, PastUnit, ScoreState, SideState } from "./score";
import { t, thousandths, type Name } from "./texts";

/** The texts of the disciplines, by their names on the wire. */
const DISCIPLINES: Record<string, Name> = {
  "three-cushion": "d_three_cushion",
  "three-cushion-sets": "d_three_cushion",
  "straight-rail": "d_straight_rail",
  balkline: "d_balkline",
  "one-cushion": "d_one_cushion",
  artistique: "d_artistique",
  "five-pins": "d_five_pins",
  "straight-pool": "d_straight_pool",
  "eight-ball": "d_eight_ball",
  "nine-ball": "d_nine_ball",
  "ten-ball": "d_ten_ball",
  snooker: "d_snooker",
  points: "d_points",
};

export type Figure = "points" | "won" | "innings" | "average" | "high_run" | "run" | "fouls";

/** What a sheet says of each side of a match, in this order. */
export function figures(match: Match, state: ScoreState): Figure[] {
  const has = (what: (side: SideState) => boolean) => state.sides.some(what);
  const counted = state.inning > 0 || has(({ innings }) => innings > 0);
  const all: [Figure, boolean][] = [
    ["won", has(({ won }) => won !== null)],
    ["points", has(({ points, won }) => won === null || points !== 0)],
    ["innings", counted],
    ["average", counted && match.average],
    ["high_run", counted],
    ["run", counted],
    ["fouls", has(({ fouls }) => fouls > 0)],
  ];
  return all.filter(([, shown]) => shown).map(([what]) => what);
}

export const figure = (side: SideState, what: Figure): string =>
  what === "average" ? thousandths(side.average_milli) : String(side[what] ?? 0);

const PLURALS: Record<Match["unit"], Name> = { match: "match", set: "sets", rack: "racks", frame: "frames" };

export const heading = (match: Match, what: Figure): string => t(what === "won" ? PLURALS[match.unit] : what);

const pair = ([first, second]: [number, number]): string => (first === second ? String(first) : `${first} / ${second}`);

/** What the match is about: game, form, target, length. */
export function about(match: Match): string[] {
  const name = DISCIPLINES[match.discipline];
  const game = [name === undefined ? match.discipline : t(name), match.variant].filter((part) => part !== "").join(" ");
  const target = match.target === null ? "" : t("to_points", { n: pair(match.target) });
  const { length } = match;
  const decided = length === null ? "" : length.kind === "best_of" ? t("best_of", { n: length.of }) : t("race_to", { n: pair(length.of) });
  return [game, target, decided].filter((part) => part !== "");
}

/** Where the match stands: the set and the inning, or what keeps it from going on. */
export function stands(match: Match, state: ScoreState): string {
  if (state.phase === "finished") return t("final_score");
  if (state.phase === "shootout") return t("shootout");
  const unit = state.unit === null || match.unit === "match" ? "" : t("unit_n", { unit: t(match.unit), n: state.unit });
  const extra = state.phase === "extension" ? t("extension") : "";
  const inning = state.inning > 0 && state.phase === "playing" ? t("inning", { n: state.inning }) : "";
  return [unit, extra, inning].filter((part) => part !== "").join(" · ");
}

/** Why nobody plays; empty where somebody does. */
export function rests(match: Match, state: ScoreState): string {
  if (state.phase === "finished") return "";
  const side = state.paused?.side ?? null;
  if (side !== null) return t("time_out", { name: match.sides[side].name });
  if (state.paused !== null) return t("paused");
  return state.break_due ? t("break_due") : "";
}

/** The points to reach as the board has them; empty where there are none. */
export const target = (match: Match): string => (match.target === null ? "" : t("to", { n: pair(match.target) }));

/** A set that is over as a line: `15–9`. */
export const result = ({ points: [first, second] }: PastUnit): string => `${first}–${second}`;

/** What is left of the shot clock so long after its entry, in whole seconds, as clocks show it: 0 when it is over. */
export function shotClock(state: ScoreState, after_ms: number): number | null {
  if (state.shot_clock === null || state.phase === "finished") return null;
  const { running, remaining_ms } = state.shot_clock;
  return Math.max(0, Math.ceil((remaining_ms - (running ? Math.max(0, after_ms) : 0)) / 1000));
}

/** What a screen reader says of a score. */
export function spoken(match: Match, state: ScoreState): string {
  const [a, b] = match.sides;
  const [left, right] = state.sides;
  const said = (m: number, n: number) => t("said", { a: a.name, m, b: b.name, n });
  const words: string[] = [];
  if (left.won !== null && right.won !== null && match.unit !== "match") {
    words.push(`${t(PLURALS[match.unit])}: ${said(left.won, right.won)}`);
  }
  if (left.won === null || left.points !== 0 || right.points !== 0) words.push(said(left.points, right.points));
  if (left.shootout !== null && right.shootout !== null) words.push(t("shootout_said", { m: left.shootout, n: right.shootout }));
  if (state.phase === "finished") {
    if (state.winner !== null) words.push(t("wins", { name: match.sides[state.winner].name }));
    return words.join(" ");
  }
  const where = stands(match, state);
  if (where !== "") words.push(`${where}.`);
  const why = rests(match, state);
  if (why !== "") words.push(`${why}.`);
  else if (state.at_table !== null) words.push(t("at_table", { name: match.sides[state.at_table].name }));
  return words.join(" ");
}
