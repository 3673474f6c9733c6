// How a live picture of low latency that has fallen behind comes back: hls.js plays a little faster within a few seconds of the
// live position and takes whatever is further behind for a viewer's wish. Here it is one only where the viewer went back or
// paused; otherwise the picture plays faster, and from far behind it jumps, once. No I/O, no clock.

/** Further behind than this, in seconds, for so long, in milliseconds, it is late. */
export const LATE_S = 4;
export const LATE_MS = 3_000;
/** Nearer than this, in seconds, hls.js does it. */
export const NEAR_S = 2;
/** Further behind than this, in seconds, it jumps: playing faster would take more than a minute and a half. */
export const JUMP_S = 10;
/** After a jump there is no other before so much time without being late, in milliseconds: where each one ends in a stall, viewers had better stay behind. */
export const STEADY_MS = 60_000;
/** How fast it plays while it catches up: hardly to be heard. */
export const CATCH_UP_RATE = 1.1;
/** With less than this in hand, in seconds, it doesn't play faster. */
export const IN_HAND_S = 1;
/** A seek to so much before the picture, in seconds, is a viewer's. */
const BACK_S = 0.5;

/** What is seen of a picture. */
export interface Sight {
  /** Where it is, in seconds. */
  at_s: number;
  /** Seconds behind where who watches live is. */
  behind_s: number;
  /** Seconds of media ahead of it. */
  buffered_s: number;
  /** It moves: neither paused, nor seeking, nor waiting for data. */
  moves: boolean;
}

/** What to do: play at this rate, `null`: hls.js decides; or jump to the live position. */
export interface Pace {
  rate: number | null;
  jump: boolean;
}

const FREE: Pace = { rate: null, jump: false };

export class CatchUp {
  /** Where the picture was last. */
  #at_s = Number.NEGATIVE_INFINITY;
  /** The viewer wants to be behind. */
  #wanted = false;
  #late_since_ms: number | null = null;
  #steady_since_ms: number | null = null;
  #jumped = false;
  #hurries = false;

  /** Another picture comes, from wherever it begins. */
  begin(): void {
    this.#at_s = Number.NEGATIVE_INFINITY;
    this.live();
  }

  /** The viewer wants to be live. */
  live(): void {
    this.#wanted = false;
    this.#late_since_ms = null;
    this.#hurries = false;
  }

  /** The viewer has paused it. */
  paused(): void {
    this.#wanted = true;
  }

  /** It seeks to a place. hls.js only ever seeks ahead. */
  seeks(to_s: number): void {
    if (to_s < this.#at_s - BACK_S) this.#wanted = true;
    this.#at_s = to_s;
  }

  /** What to do now; to be asked several times a second. */
  look({ at_s, behind_s, buffered_s, moves }: Sight, now_ms: number): Pace {
    if (moves) this.#at_s = at_s;
    if (behind_s < LATE_S) {
      this.#wanted = false;
      this.#late_since_ms = null;
      this.#steady_since_ms ??= now_ms;
      if (now_ms - this.#steady_since_ms >= STEADY_MS) this.#jumped = false;
      if (behind_s < NEAR_S) this.#hurries = false;
    } else this.#steady_since_ms = null;
    if (!moves || this.#wanted) {
      this.#late_since_ms = null;
      this.#hurries = false;
      return FREE;
    }
    if (behind_s >= LATE_S) this.#late_since_ms ??= now_ms;
    if (this.#late_since_ms !== null && now_ms - this.#late_since_ms >= LATE_MS) {
      if (behind_s > JUMP_S && !this.#jumped) {
        this.#jumped = true;
        this.live();
        return { rate: null, jump: true };
      }
      this.#hurries = true;
    }
    return this.#hurries ? { rate: buffered_s > IN_HAND_S ? CATCH_UP_RATE : 1, jump: false } : FREE;
  }
}
