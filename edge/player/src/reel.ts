// Plays stretches one after another, until the viewer goes elsewhere. No I/O, no drawing.

export interface Stretch {
  /** From where to where, on the media timeline, in milliseconds. */
  from_ms: number;
  to_ms: number;
}

/** Whoever is further than this outside of the stretch that is played has gone elsewhere, in milliseconds. */
const NEAR_MS = 3_000;

export class Reel {
  #left: Stretch[] = [];
  /** The picture has come to the first of them. */
  #on = false;

  /** Begins with these. Gives where to go. */
  play(stretches: readonly Stretch[]): number | null {
    [this.#left, this.#on] = [[...stretches], false];
    return this.#left[0]?.from_ms ?? null;
  }

  stop(): void {
    this.#left = [];
  }

  /** The picture shows this moment. Gives where to go next; `null` is to stay. */
  see(at_ms: number): number | null {
    const now = this.#left[0];
    if (now === undefined) return null;
    const near = at_ms >= now.from_ms - NEAR_MS && at_ms <= now.to_ms + NEAR_MS;
    if (!this.#on || !near) {
      // What is still to be reached is not left.
      if (this.#on) this.stop();
      this.#on = near;
      return null;
    }
    if (at_ms < now.to_ms) return null;
    return this.play(this.#left.slice(1));
  }
}
