// Shapes of JSON that the rules and the origin give and take (origin-lib/pad/src, origin-lib/src/api/score.rs).

export type Side = 0 | 1;

export interface Place {
  epoch: number;
  seq: number;
}

export type Length = { race_to: number | [number, number] } | { best_of: number };

export interface Start {
  type: "start";
  title: string;
  discipline: string;
  target?: number | [number, number];
  equalising_inning?: boolean;
  sides: [Player, Player];
  breaks: Side;
  white?: Side;
  variant?: string;
  figures?: Figure[];
  rules?: Partial<Pick<RulesOf, Rule>>;
}

/** A figure of artistique, and the points that it gives. */
export interface Figure {
  code: string;
  points: number;
}

/** What a start may have of its own, of the rules. */
export type Rule =
  | "unit"
  | "length"
  | "begins"
  | "level"
  | "last_target"
  | "innings_max"
  | "tie"
  | "head_start"
  | "swap_balls"
  | "break_at_half"
  | "shot_clock"
  | "time_outs";

export interface Player {
  name: string;
  country?: string;
}

export interface ShotClockRules {
  seconds: number;
  extensions: number;
  extension_seconds: number;
  per: "match" | "unit";
}

export type Action =
  | Start
  | { type: "points"; side: Side; points: number; code?: string }
  | { type: "end_inning"; side: Side }
  | { type: "foul"; side: Side; points?: number }
  | { type: "turn"; side: Side }
  | { type: "begin_unit"; breaks: Side }
  | { type: "end_unit"; winner?: Side }
  | { type: "rerack" }
  | { type: "shootout"; side: Side; points: number }
  | { type: "pause" }
  | { type: "resume" }
  | { type: "time_out"; side: Side }
  | { type: "shot_clock"; do: "start" | "stop" | "resume" | "extend"; side?: Side }
  | { type: "end"; winner: Side | null; code?: string }
  | { type: "undo"; epoch?: number; seq: number }
  | { type: "correct"; epoch?: number; seq: number; action: Action };

/** An event where it stands. */
export interface Item extends Place {
  event: { occurred: number; scorer?: string; action: Action; state?: unknown };
}

/** An event that waits: of which match. */
export interface Waiting extends Item {
  match: string;
}

/** An event that would be given up, and why. */
export interface Lost extends Waiting {
  why: string;
}

/**
 * Why nothing is sent, until the scorer decides:
 * - `key`: the origin does not know the key
 * - `invalid`: it refuses an event, which is the first that waits
 * - `taken`: another scorer has taken over; events of other matches are sent
 * - `tab`: another page of this browser scores
 * - `broken`: the page itself has failed
 */
export interface Problem {
  kind: "key" | "invalid" | "taken" | "tab" | "broken";
  text: string;
  item?: Waiting;
}

export interface SideState {
  points: number;
  run: number;
  high_run: number;
  innings: number;
  average_milli: number;
  shootout: number | null;
  extension?: number;
  won?: number;
  total_points?: number;
  total_innings?: number;
  ball?: "white" | "yellow";
  fouls_in_row?: number;
  extensions_left?: number;
  time_outs_left?: number;
}

export interface State {
  phase: "playing" | "between" | "extension" | "shootout" | "finished";
  inning: number;
  at_table: Side | null;
  winner: Side | null;
  unit?: number;
  rack?: number;
  break_due?: boolean;
  paused?: { since: number; until?: number; side?: Side; code?: string };
  shot_clock?: { running: boolean; deadline: number | null; remaining_ms: number };
  sides: [SideState, SideState];
}

export interface RulesOf {
  unit: "match" | "set" | "rack" | "frame";
  length: Length;
  points: boolean;
  target: number | [number, number] | null;
  last_target: number | null;
  innings_max: number | null;
  begins: "alternate" | "winner" | "loser" | "called";
  level: "draw" | "extra_unit";
  tie: "shootout" | "draw" | "play_on" | { extension: { innings: number } };
  head_start: [number, number];
  swap_balls: "never" | "half" | "unit";
  break_at_half: boolean;
  turns: "miss" | "shot" | "open" | "free";
  equalising_inning: boolean;
  foul: "none" | "opponent" | "deduct";
  rack_balls: number | null;
  average: boolean;
  shot_clock: ShotClockRules | null;
  time_outs: { count: number; seconds: number; per: "match" | "unit" } | null;
}

export interface Discipline {
  id: string;
  rules: RulesOf;
}

export interface Entry extends Place {
  occurred: number;
  action: Action;
  stands: boolean;
  correctable: boolean;
}

/** What the page shows of a match. */
export interface View {
  last: Place | null;
  start: Omit<Start, "type"> | null;
  rules: RulesOf | null;
  state: State | null;
  undo: (Place & { action: Action }) | null;
  history: Entry[];
}

/** What a browser keeps of a channel beside its events. */
export interface Kept {
  /** Goes up with whatever the scorer does: of two pages of one browser, only one scores. */
  revision: number;
  key: string;
  /** Who scores here, by the name under which the origin knows their offset; absent where nobody said so. */
  scorer?: string;
  /** What is added to this device's clock to get the origin's, in milliseconds; null as long as the origin never told it. */
  offset: number | null;
  match: string | null;
  epoch: number;
  mode: "scoring" | "lost" | "watching";
}
