// A match by its turns, and what of it is worth seeing again. No I/O, no drawing.

import type { Entry, ScoreState } from "./score";

/** One visit of a side to the table. */
export interface Turn {
  /** Its name: the event after which it begins. */
  seq: number;
  /** Where it begins on the media timeline, in milliseconds since 1970. */
  at_ms: number;
  /** Where it is over; `null` while it is played. */
  end_ms: number | null;
  /** The number of its set, rack or frame; `null` in one match to points. */
  unit: number | null;
  /** The number of its inning; 0 in a shootout. */
  inning: number;
  side: 0 | 1;
  points: number;
  /** The side's points after it. */
  total: number;
  phase: "playing" | "extension" | "shootout";
}

export const KINDS = ["run", "lead", "level", "shootout", "set", "win"] as const;
export type Kind = (typeof KINDS)[number];

/** Something worth seeing again. */
export interface Highlight {
  seq: number;
  kind: Kind;
  at_ms: number;
  end_ms: number;
  side: 0 | 1 | null;
  points: number | null;
}

/** The most turns and highlights that are taken of a document, as many as an edge takes. */
export const TURNS_MAX = 2_000;
export const HIGHLIGHTS_MAX = 500;
/** Ticks of media time in a millisecond. */
const TICKS_PER_MS = 90;
/** So long before something begins people want to see, in milliseconds. */
export const LEAD_IN_MS = 3_000;
/** What ends with its last point is followed for so long, in milliseconds. */
export const LEAD_OUT_MS = 4_000;
/** Without turns only the moment of a win is known: so much before it, in milliseconds. */
const MOMENT_MS = 20_000;
/** Who is further into an inning than this, in milliseconds, goes back to its beginning first. */
const NEAR_MS = 5_000;

type Json = Record<string, unknown>;
const isJson = (value: unknown): value is Json => typeof value === "object" && value !== null && !Array.isArray(value);
const whole = (value: unknown): number | null => (Number.isSafeInteger(value) ? (value as number) : null);
const side = (value: unknown): 0 | 1 | null => (value === 0 || value === 1 ? value : null);
const ms = (value: unknown): number | null => {
  const ticks = whole(value);
  return ticks === null ? null : ticks / TICKS_PER_MS;
};
const list = (value: unknown, max: number): Json[] => (Array.isArray(value) ? value.slice(-max).filter(isJson) : []);

function turn(value: Json): Turn | null {
  const [seq, at_ms, who] = [whole(value["seq"]), ms(value["at"]), side(value["side"])];
  if (seq === null || at_ms === null || who === null) return null;
  const phase = value["phase"];
  return {
    seq,
    at_ms,
    end_ms: ms(value["end"]),
    unit: whole(value["unit"]),
    inning: whole(value["inning"]) ?? 0,
    side: who,
    points: whole(value["points"]) ?? 0,
    total: whole(value["total"]) ?? 0,
    phase: phase === "extension" || phase === "shootout" ? phase : "playing",
  };
}

function highlight(value: Json): Highlight | null {
  const kind = KINDS.find((known) => known === value["kind"]);
  const [seq, at_ms, end_ms] = [whole(value["seq"]), ms(value["at"]), ms(value["end"])];
  if (kind === undefined || seq === null || at_ms === null || end_ms === null) return null;
  return { seq, kind, at_ms, end_ms, side: side(value["side"]), points: whole(value["points"]) };
}

/** The turns of a score document. What can't be read is left out. */
export const parseTurns = (value: unknown): Turn[] => list(value, TURNS_MAX).map(turn).filter((read) => read !== null);

/** The highlights of a score document. What can't be read is left out. */
export const parseHighlights = (value: unknown): Highlight[] =>
  list(value, HIGHLIGHTS_MAX).map(highlight).filter((read) => read !== null);

/** What is new over what was known: of a turn the newest, and each highlight once, in their order. */
export function mergeTurns(known: readonly Turn[], news: readonly Turn[]): Turn[] {
  const bySeq = new Map(known.map((one) => [one.seq, one]));
  for (const one of news) bySeq.set(one.seq, one);
  return [...bySeq.values()].sort((a, b) => a.seq - b.seq).slice(-TURNS_MAX);
}

export function mergeHighlights(known: readonly Highlight[], news: readonly Highlight[]): Highlight[] {
  const name = ({ seq, kind, at_ms }: Highlight) => (kind === "shootout" ? `shootout ${at_ms}` : `${seq} ${kind}`);
  const byName = new Map(known.map((one) => [name(one), one]));
  for (const one of news) byName.set(name(one), one);
  return [...byName.values()].sort((a, b) => a.seq - b.seq || KINDS.indexOf(a.kind) - KINDS.indexOf(b.kind)).slice(-HIGHLIGHTS_MAX);
}

/** The turns up to a moment, the one that was played then with what it had brought by then: as the document was then. */
export function turnsAt(turns: readonly Turn[], entries: readonly Entry[], until_ms: number): Turn[] {
  const begun = turns.slice(0, lastAt(turns, until_ms) + 1).filter((one) => one.phase !== "shootout" || isOver(one, until_ms));
  const open = begun.at(-1);
  const now = entries[lastAt(entries, until_ms)]?.state;
  if (open === undefined || now === undefined || isOver(open, until_ms)) return begun;
  const side = now.sides[open.side];
  const total = side.points + (side.extension ?? 0);
  const before = open.total - open.points;
  return [...begun.slice(0, -1), { ...open, end_ms: null, points: total - before, total }];
}

const isOver = ({ end_ms }: Turn, at_ms: number): boolean => end_ms !== null && end_ms <= at_ms;

/** An inning: what each side did in it. */
export interface Inning {
  unit: number | null;
  phase: Turn["phase"];
  inning: number;
  turns: [Turn | null, Turn | null];
}

/** The turns as a score sheet has them. */
export function innings(turns: readonly Turn[]): Inning[] {
  const rows: Inning[] = [];
  for (const one of turns) {
    const row = rows.at(-1);
    const same = row !== undefined && row.unit === one.unit && row.phase === one.phase && row.inning === one.inning;
    if (same && row.turns[one.side] === null) row.turns[one.side] = one;
    else {
      const turns: Inning["turns"] = one.side === 0 ? [one, null] : [null, one];
      rows.push({ unit: one.unit, phase: one.phase, inning: one.inning, turns });
    }
  }
  return rows;
}

/** The place of the last of what is sorted by its times that is not later than a moment; -1 before the first. */
export function lastAt(sorted: readonly { at_ms: number }[], at_ms: number): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sorted[middle]?.at_ms ?? Number.POSITIVE_INFINITY) <= at_ms) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/** The turn that is played at a moment; `null` before the first. */
export function turnAt(turns: readonly Turn[], at_ms: number): Turn | null {
  return turns[lastAt(turns, at_ms)] ?? null;
}

/** Where the next inning begins, or the one before: whoever is well into one goes back to its beginning first. */
export function neighbour(turns: readonly Turn[], at_ms: number, way: "next" | "previous"): Turn | null {
  const own = lastAt(turns, at_ms);
  if (way === "next") return turns[own + 1] ?? null;
  const now = turns[own];
  if (now === undefined) return null;
  return at_ms - now.at_ms > NEAR_MS ? now : (turns[own - 1] ?? now);
}

const points = (state: ScoreState): number => state.sides[0].points + state.sides[1].points;

/** Where the last `count` scores before a moment begin: a little before the first of them. `null` where there was none. */
export function lastScores(entries: readonly Entry[], at_ms: number, count: number): number | null {
  let found: number | null = null;
  let left = count;
  for (let at = lastAt(entries, at_ms); at > 0 && left > 0; at -= 1) {
    const [before, now] = [entries[at - 1], entries[at]];
    if (before === undefined || now === undefined) break;
    // A new set begins at nothing.
    if (points(now.state) > points(before.state)) {
      found = now.at_ms;
      left -= 1;
    }
  }
  return found === null ? null : found - MOMENT_MS / 2;
}

/** From where to where to watch a highlight. */
export function stretch({ at_ms, end_ms }: Highlight): { from_ms: number; to_ms: number } {
  const from_ms = end_ms - at_ms < LEAD_IN_MS ? end_ms - MOMENT_MS : at_ms - LEAD_IN_MS;
  return { from_ms, to_ms: end_ms + LEAD_OUT_MS };
}

/** The stretches of highlights, one after another, those that overlap as one. */
export function reel(highlights: readonly Highlight[]): { from_ms: number; to_ms: number }[] {
  const sorted = highlights.map(stretch).sort((a, b) => a.from_ms - b.from_ms);
  const reel: { from_ms: number; to_ms: number }[] = [];
  for (const one of sorted) {
    const last = reel.at(-1);
    if (last !== undefined && one.from_ms <= last.to_ms) last.to_ms = Math.max(last.to_ms, one.to_ms);
    else reel.push({ ...one });
  }
  return reel;
}
