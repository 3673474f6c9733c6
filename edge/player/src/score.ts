// The score document and the log that the player keeps of it. No I/O, no drawing.

import { lastAt, mergeHighlights, mergeTurns, parseHighlights, parseTurns, type Highlight, type Turn } from "./sheet";

/** One side of a match at one moment. What a game does not have is `null`. */
export interface SideState {
  points: number;
  run: number;
  high_run: number;
  innings: number;
  average_milli: number;
  shootout: number | null;
  extension: number | null;
  /** Sets, racks or frames won. */
  won: number | null;
  ball: "white" | "yellow" | null;
  fouls: number;
}

export const PHASES = ["playing", "between", "extension", "shootout", "finished"] as const;

export interface ScoreState {
  phase: (typeof PHASES)[number];
  inning: number;
  at_table: 0 | 1 | null;
  winner: 0 | 1 | null;
  /** The set, rack or frame, from 1. */
  unit: number | null;
  break_due: boolean;
  /** Play rests; a time-out is somebody's. */
  paused: { side: 0 | 1 | null } | null;
  /** What was left of the shot clock at the entry's moment, in milliseconds, and whether it runs from there. */
  shot_clock: { running: boolean; remaining_ms: number } | null;
  sides: [SideState, SideState];
}

/** A set, rack or frame that is over. */
export interface PastUnit {
  at_ms: number;
  winner: 0 | 1 | null;
  points: [number, number];
}

/** From `at_ms` on (milliseconds since 1970 on the media timeline) this is the score. */
export interface Entry {
  seq: number;
  at_ms: number;
  state: ScoreState;
}

export interface Side {
  name: string;
  country: string;
}

/** What stays the same through a match. */
export interface Match {
  match: string;
  title: string;
  discipline: string;
  /** Which form of it, such as `47/2`; empty where there is one only. */
  variant: string;
  /** The points to reach, of each side. */
  target: [number, number] | null;
  /** How many sets, racks or frames decide it. */
  length: { kind: "race_to"; of: [number, number] } | { kind: "best_of"; of: number } | null;
  /** Whether averages mean something. */
  average: boolean;
  /** What it is won in. */
  unit: "match" | "set" | "rack" | "frame";
  sides: [Side, Side];
  /** What of it is over. Nobody is to be shown any of it before its time. */
  units: PastUnit[];
}

export interface ScoreDocument extends Match {
  revision: number;
  /** The last event that changed scores before it; 0 where there was none. */
  rewritten: number;
  entries: Entry[];
  turns: Turn[];
  highlights: Highlight[];
}

/** The most entries that are read and kept, as many as an edge takes; of more, the first and the newest. */
export const ENTRIES_MAX = 5_000;
/** The longest text that is drawn, in characters: as long as the origin takes a name. */
export const TEXT_LEN_MAX = 100;
/** The most sets, racks or frames. */
const UNITS_MAX = 99;
/** Ticks of media time in a millisecond. */
const TICKS_PER_MS = 90;

const UNITS = ["match", "set", "rack", "frame"] as const;

type Json = Record<string, unknown>;

const isJson = (value: unknown): value is Json => typeof value === "object" && value !== null && !Array.isArray(value);
const text = (value: unknown): string => (typeof value === "string" ? value.slice(0, TEXT_LEN_MAX) : "");
const whole = (value: unknown): number | null => (Number.isSafeInteger(value) ? (value as number) : null);
const side = (value: unknown): 0 | 1 | null => (value === 0 || value === 1 ? value : null);

function sideState(value: unknown): SideState | null {
  if (!isJson(value)) return null;
  const points = whole(value["points"]);
  if (points === null) return null;
  return {
    points,
    run: whole(value["run"]) ?? 0,
    high_run: whole(value["high_run"]) ?? 0,
    innings: whole(value["innings"]) ?? 0,
    average_milli: whole(value["average_milli"]) ?? 0,
    shootout: whole(value["shootout"]),
    extension: whole(value["extension"]),
    won: whole(value["won"]),
    ball: value["ball"] === "white" || value["ball"] === "yellow" ? value["ball"] : null,
    fouls: whole(value["fouls"]) ?? 0,
  };
}

/** A number for both, or one for each. */
function each(value: unknown): [number, number] | null {
  const [both, pair] = [whole(value), Array.isArray(value) ? value : []];
  const [first, second] = both === null ? [whole(pair[0]), whole(pair[1])] : [both, both];
  return first === null || second === null ? null : [first, second];
}

function pastUnit(value: unknown): PastUnit | null {
  if (!isJson(value)) return null;
  const [at, points] = [whole(value["at"]), each(value["points"])];
  return at === null || points === null ? null : { at_ms: at / TICKS_PER_MS, winner: side(value["winner"]), points };
}

function matchLength(value: unknown): Match["length"] {
  if (!isJson(value)) return null;
  const [race, best] = [each(value["race_to"]), whole(value["best_of"])];
  if (race !== null) return { kind: "race_to", of: race };
  return best === null ? null : { kind: "best_of", of: best };
}

function shotClock(value: unknown): ScoreState["shot_clock"] {
  if (!isJson(value)) return null;
  const remaining_ms = whole(value["remaining_ms"]);
  return remaining_ms === null ? null : { running: value["running"] === true, remaining_ms };
}

function entry(value: unknown): Entry | null {
  if (!isJson(value) || !isJson(value["state"])) return null;
  const state = value["state"];
  const [seq, at] = [whole(value["seq"]), whole(value["at"])];
  const sides = Array.isArray(state["sides"]) ? state["sides"] : [];
  const [first, second] = [sideState(sides[0]), sideState(sides[1])];
  if (seq === null || at === null || first === null || second === null) return null;
  return {
    seq,
    at_ms: at / TICKS_PER_MS,
    state: {
      phase: PHASES.find((known) => known === state["phase"]) ?? "playing",
      inning: whole(state["inning"]) ?? 0,
      at_table: side(state["at_table"]),
      winner: side(state["winner"]),
      unit: whole(state["unit"]),
      break_due: state["break_due"] === true,
      paused: isJson(state["paused"]) ? { side: side(state["paused"]["side"]) } : null,
      shot_clock: shotClock(state["shot_clock"]),
      sides: [first, second],
    },
  };
}

/** Reads a score document; `null` for anything else. Entries that can't be read are left out. */
export function parseScore(value: unknown): ScoreDocument | null {
  if (!isJson(value) || typeof value["match"] !== "string" || !Array.isArray(value["entries"])) return null;
  const names = Array.isArray(value["sides"]) ? value["sides"] : [];
  const who = (side: unknown): Side =>
    isJson(side) ? { name: text(side["name"]), country: text(side["country"]) } : { name: "", country: "" };
  return {
    match: text(value["match"]),
    revision: whole(value["revision"]) ?? 0,
    rewritten: whole(value["rewritten"]) ?? 0,
    title: text(value["title"]),
    discipline: text(value["discipline"]),
    variant: text(value["variant"]),
    target: each(value["target"]),
    length: matchLength(value["length"]),
    average: value["average"] !== false,
    unit: UNITS.find((known) => known === value["unit"]) ?? "match",
    sides: [who(names[0]), who(names[1])],
    entries: ends(value["entries"])
      .map(entry)
      .filter((read) => read !== null),
    units: (Array.isArray(value["units"]) ? value["units"] : [])
      .slice(0, UNITS_MAX)
      .map(pastUnit)
      .filter((read) => read !== null),
    turns: parseTurns(value["turns"]),
    highlights: parseHighlights(value["highlights"]),
  };
}

/** The first of a list and the newest, as many as are kept. */
const ends = <T>(list: T[]): T[] => (list.length > ENTRIES_MAX ? [...list.slice(0, 1), ...list.slice(1 - ENTRIES_MAX)] : list);

/** What the log wants after it took a document. */
export type Wanted =
  /** Nothing: ask again for what comes after {@link ScoreLog.last}. */
  | "more"
  /** Another match began: ask for the whole document. */
  | "whole";

/** The score of the match on the table, kept over many partial documents. */
export class ScoreLog {
  #match: Match | null = null;
  #revision = 0;
  #entries: Entry[] = [];
  #turns: Turn[] = [];
  #highlights: Highlight[] = [];
  #last: number | null = null;
  #version = 0;

  /** Another one after each document that was taken. */
  get version(): number {
    return this.#version;
  }

  /** The scores, by their times. */
  get entries(): readonly Entry[] {
    return this.#entries;
  }

  get turns(): readonly Turn[] {
    return this.#turns;
  }

  get highlights(): readonly Highlight[] {
    return this.#highlights;
  }

  get match(): Match | null {
    return this.#match;
  }

  /** The highest sequence number that we have; `null` before the first entry. */
  get last(): number | null {
    return this.#last;
  }

  /** Takes a document that was asked for with `after` (`null`: the whole one). */
  take(document: ScoreDocument, after: number | null): Wanted {
    // A store may answer with an older copy than before; what we have already is newer.
    if (document.revision < this.#revision) return "more";
    if (this.#match !== null && this.#match.match !== document.match) {
      this.#forget();
      this.#last = null;
      this.#match = null;
      // The old match's number says nothing about the new one's entries.
      if (after !== null) return "whole";
    }
    const { entries, turns, highlights, revision, rewritten, ...match } = document;
    this.#match = match;
    this.#revision = revision;
    this.#version += 1;
    // An undo changed what we have: the edge then sends everything again.
    if (after === null || rewritten > after) this.#forget();
    this.#turns = mergeTurns(this.#turns, turns);
    this.#highlights = mergeHighlights(this.#highlights, highlights);
    const bySeq = new Map(this.#entries.map((entry) => [entry.seq, entry]));
    for (const entry of entries) {
      bySeq.set(entry.seq, entry);
      this.#last = Math.max(this.#last ?? entry.seq, entry.seq);
    }
    const sorted = [...bySeq.values()].sort((a, b) => a.at_ms - b.at_ms || a.seq - b.seq);
    this.#entries = ends(sorted);
    return "more";
  }

  #forget(): void {
    this.#entries = [];
    this.#turns = [];
    this.#highlights = [];
  }

  /** The newest entry not later than `at_ms`; `null` before the first. */
  entryAt(at_ms: number): Entry | null {
    return this.#entries[lastAt(this.#entries, at_ms)] ?? null;
  }
}
