// Gaps in what playlists list, and where to go on at one where hls.js asks for nothing any more: from a place on that it was told to
// begin at, it knows no way over what no rendition has. No I/O, no clock.

/** A segment as a playlist lists it, in seconds on the video's clock. */
export interface Listed {
  readonly start: number;
  readonly end: number;
  readonly gap?: boolean;
}

/** Less than this of a segment, in seconds, is nothing to go to: its neighbours begin and end a frame earlier or later. */
export const LEAST_S = 0.1;

/** Whether what is listed for this moment is there; `null` where nothing is listed. */
export function hasAt(segments: readonly Listed[], at_s: number): boolean | null {
  const at = segments.find(({ start, end }) => start <= at_s + LEAST_S && at_s + LEAST_S < end);
  return at === undefined ? null : at.gap !== true;
}

/** A place in one of the renditions, in seconds on the video's clock. */
export interface Place {
  readonly level: number;
  readonly at_s: number;
}

/** Where the next media is, from a moment on, of what each rendition lists: in the wanted one if that has it as soon, or else in the lowest. */
export function nextOf(renditions: readonly (readonly Listed[])[], at_s: number, wanted: number): Place | null {
  const places = renditions.flatMap((segments, level) => {
    const next = segments.find(({ end, gap }) => gap !== true && end > at_s + LEAST_S);
    return next === undefined ? [] : [{ level, at_s: Math.max(at_s, next.start) }];
  });
  const soonest_s = Math.min(...places.map((place) => place.at_s));
  const soon = places.filter((place) => place.at_s <= soonest_s + LEAST_S);
  return soon.find(({ level }) => level === wanted) ?? soon[0] ?? null;
}

/** So long nothing must have been asked for, in milliseconds; twice as long after each time that it did not help, up to the second. */
export const IDLE_MS = 4_000;
export const IDLE_MS_MAX = 60_000;

/** What is to be seen of loading: the picture plays or could; it waits for what is on its way; it waits, and nothing is. */
export type Loading = "plays" | "waits" | "idle";

/** Finds out where nothing is asked for though there is something. */
export class Gaps {
  #idle_ms = IDLE_MS;
  #since_ms: number | null = null;

  /** Whether loading has to be begun again. To be asked about once a second. */
  look(loading: Loading, now_ms: number): boolean {
    if (loading === "plays") this.#idle_ms = IDLE_MS;
    if (loading !== "idle") {
      this.#since_ms = null;
      return false;
    }
    this.#since_ms ??= now_ms;
    if (now_ms - this.#since_ms < this.#idle_ms) return false;
    [this.#since_ms, this.#idle_ms] = [null, Math.min(2 * this.#idle_ms, IDLE_MS_MAX)];
    return true;
  }
}
