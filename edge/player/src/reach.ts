// How far into a recording a viewer has come, where nothing later is to be known. No I/O, no drawing.

/** What lies further ahead of the picture than this is not asked for, in milliseconds: as much as is buffered, and some more. */
export const AHEAD_MS = 120_000;
/** The same at the start of a recording: who begins to watch a short one is not to know how short it is. */
export const AHEAD_MS_MIN = 20_000;
/** The browser's own player gets the next stretch when so much of the one before is left, in milliseconds. */
const RENEW_MS = 30_000;
/** The score is asked for up to so far ahead of the picture, in milliseconds: a few questions' worth. */
export const SCORE_AHEAD_MS = 10_000;
/** The furthest that one skip goes, in milliseconds. */
export const SKIP_MS_MAX = 600_000;

/** Never goes back: what was listed once stays listed. */
export class Reach {
  #start_ms: number;
  #least_ms: number;
  #seen_ms: number;
  #until_ms: number;

  /** From the start of a recording on, where no less than `least_ms` ahead is asked for. */
  constructor(start_ms: number, least_ms: number = AHEAD_MS_MIN) {
    this.#start_ms = start_ms;
    this.#least_ms = least_ms;
    this.#seen_ms = start_ms;
    this.#until_ms = this.#ahead(start_ms);
  }

  /** Up to where is asked for with the picture of a moment: the further, the more was there before it. */
  #ahead(at_ms: number): number {
    return at_ms + Math.min(this.#least_ms + (at_ms - this.#start_ms) / 2, AHEAD_MS);
  }

  /** Media time up to which playlists may tell, in milliseconds. */
  get until_ms(): number {
    return Math.ceil(this.#until_ms);
  }

  /** Media time up to which the picture was seen, in milliseconds. */
  get seen_ms(): number {
    return this.#seen_ms;
  }

  /** Media time up to which the score may tell, in milliseconds. */
  get score_ms(): number {
    return Math.ceil(Math.min(this.#seen_ms + SCORE_AHEAD_MS, this.#until_ms));
  }

  /** Playlists may tell of what is before this moment, whatever was seen. */
  allow(to_ms: number): void {
    this.#until_ms = Math.max(this.#until_ms, to_ms);
  }

  /** The picture shows this moment. */
  see(at_ms: number): void {
    // A clock that jumps is no way ahead: nothing beyond what was listed can be seen.
    if (at_ms <= this.#seen_ms || at_ms > this.#until_ms) return;
    this.#seen_ms = at_ms;
    this.#until_ms = Math.max(this.#until_ms, this.#ahead(at_ms));
  }

  /** The viewer wants to go ahead. Gives where to. */
  skip(from_ms: number, by_ms: number): number {
    const to_ms = Math.max(this.#start_ms, from_ms) + Math.min(Math.max(by_ms, 0), SKIP_MS_MAX);
    this.#until_ms = Math.max(this.#until_ms, this.#ahead(to_ms));
    return to_ms;
  }
}

const KEY = "railbird-spoilers";

/** Whether this browser is to be told no result before it is seen. */
export function spoilerFree(): boolean {
  try {
    return localStorage.getItem(KEY) === "no";
  } catch {
    return false;
  }
}

export function setSpoilerFree(free: boolean): void {
  try {
    if (free) localStorage.setItem(KEY, "no");
    else localStorage.removeItem(KEY);
  } catch {
    // Without storage it lasts as long as the page.
  }
}

/** The part of a recording that an address asks for: `from` and `to` in UTC milliseconds. `null` where it asks for all. */
export function clipOf(query: string): { from_ms: number; to_ms: number } | null {
  const asked = new URLSearchParams(query);
  const time = (name: string): number => (/^\d{1,16}$/.test(asked.get(name) ?? "") ? Number(asked.get(name)) : Number.NaN);
  const [from_ms, to_ms] = [time("from"), time("to")];
  return from_ms < to_ms ? { from_ms, to_ms } : null;
}

/** The address of a clip, for others. */
export function clipLink(origin: string, path: string, { from_ms, to_ms }: { from_ms: number; to_ms: number }): string {
  return `${origin}${path}?from=${Math.floor(from_ms)}&to=${Math.ceil(to_ms)}`;
}

/** Whether a player that was given a recording up to `given_ms` is to be given more of it now, with the picture of `at_ms`. */
export function runsOut(given_ms: number | null, until_ms: number | null, at_ms: number): boolean {
  return given_ms !== null && until_ms !== null && until_ms > given_ms && at_ms > given_ms - RENEW_MS;
}

/** What the address of a recording's playlist ends with, of a clip or of what starts before `until_ms`; of all of it, nothing. */
export function stretchOf(clip: { from_ms: number; to_ms: number } | null, until_ms: number | null): string {
  if (clip !== null) return `?from=${clip.from_ms}&to=${clip.to_ms}`;
  return until_ms === null ? "" : `?until=${until_ms}`;
}

/** The same address with another `until`, where it has one. */
export function withUntil(url: string, until_ms: number | null): string {
  return until_ms === null ? url : url.replace(/([?&]until=)\d+/, `$1${until_ms}`);
}
