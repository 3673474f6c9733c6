// Recordings, as lists show them. No I/O, no drawing.

/** A recording of a channel. */
export interface Replay {
  id: string;
  title: string;
  /** Where it starts on the media timeline, in milliseconds since 1970. */
  start_ms: number;
  duration_s: number;
  /** It is still being made. */
  live: boolean;
}

/** The most recordings taken of one answer. */
export const REPLAYS_MAX = 64;

const ID = /^[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?$/;

/** Reads a recording; `null` for what can't be one. */
export function parseReplay(value: Record<string, unknown>): Replay | null {
  const { id, title, start, duration, live } = value;
  if (typeof id !== "string" || !ID.test(id)) return null;
  const start_ms = typeof start === "string" ? Date.parse(start) : Number.NaN;
  if (Number.isNaN(start_ms)) return null;
  return {
    id,
    title: typeof title === "string" ? title.slice(0, 200) : "",
    start_ms,
    duration_s: typeof duration === "number" && duration > 0 ? Math.floor(duration) : 0,
    live: live === true,
  };
}

/** A length as people say it: `45 s`, `12 min`, `1 h 05 min`. */
export function length(duration_s: number): string {
  if (duration_s < 60) return `${duration_s} s`;
  const minutes = Math.round(duration_s / 60);
  return minutes < 60 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, "0")} min`;
}

/** A position as clocks show it: `0:07`, `12:34`, `1:02:03`. */
export function clock(position_s: number): string {
  const whole = Math.max(0, Math.floor(position_s));
  const [h, m, s] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60, whole % 60];
  const two = (n: number) => String(n).padStart(2, "0");
  return h > 0 ? `${h}:${two(m)}:${two(s)}` : `${m}:${two(s)}`;
}
