// Whether the line is too thin for the lowest picture: then a viewer is offered the sound alone. No I/O, no clock.

/** So many segments in a row that come slower than they play say that it is, or as many that come faster, that it is not. */
export const ROW = 3;

/** A segment, or a part of one, as far as it matters here: what its loader tells (loader.ts). */
export interface Coming {
  /** Another object with each time that it is asked for. */
  readonly stats: {
    /** Nobody waits for it any longer. */
    readonly aborted: boolean;
    /** How many bytes came, and when the node was asked that they come from, in milliseconds. */
    readonly loaded: number;
    readonly loading: { readonly start: number };
  };
}

export class Thin {
  /** Segments in a row that came slower than they play (above zero), or faster (below). */
  #row = 0;
  #is = false;
  /** What is under way, and how long it plays, in milliseconds. */
  #asked: { of: Coming; lasts_ms: number } | null = null;

  /** Another presentation is played, or not the lowest picture of it. */
  forget(): void {
    [this.#row, this.#is, this.#asked] = [0, false, null];
  }

  /** A segment is asked for. */
  asks(of: Coming, lasts_ms: number): void {
    this.#asked = { of, lasts_ms };
  }

  /** No node has it: that says nothing of the line. */
  fails(): void {
    this.#asked = null;
  }

  /** It came, or it was given up because it comes too slowly. */
  ends(came: boolean, now_ms: number): void {
    const asked = this.#asked;
    this.#asked = null;
    // Nodes that were asked for it before, and gave nothing, are no fault of the line's.
    if (asked === null || asked.of.stats.loaded === 0) return;
    const slow = now_ms - asked.of.stats.loading.start > asked.lasts_ms;
    if (slow) this.#row = Math.max(this.#row, 0) + 1;
    else if (came) this.#row = Math.min(this.#row, 0) - 1;
    if (this.#row >= ROW) this.#is = true;
    else if (this.#row <= -ROW) this.#is = false;
  }

  /** Whether it is. One that has been coming for as long as some play counts as so many. */
  look(now_ms: number): boolean {
    return this.#is || Math.max(this.#row, 0) + this.#late(now_ms) >= ROW;
  }

  #late(now_ms: number): number {
    if (this.#asked === null || this.#asked.lasts_ms <= 0) return 0;
    const { aborted, loaded, loading } = this.#asked.of.stats;
    return aborted || loaded === 0 ? 0 : Math.floor((now_ms - loading.start) / this.#asked.lasts_ms);
  }
}
