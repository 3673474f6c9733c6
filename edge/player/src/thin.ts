// Whether the line is too thin for the lowest picture: then a viewer is offered the sound alone. No I/O, no clock.

/** So many segments in a row that come slower than they play say that it is, or as many that come faster, that it is not. */
export const ROW = 3;

export class Thin {
  /** Segments in a row that came slower than they play (above zero), or faster (below). */
  #row = 0;
  #is = false;
  /** What is under way: since when, and how long it plays, in milliseconds. */
  #asked: { at_ms: number; lasts_ms: number } | null = null;

  /** Another presentation is played, or not the lowest picture of it. */
  forget(): void {
    [this.#row, this.#is, this.#asked] = [0, false, null];
  }

  /** A segment is asked for. */
  asks(lasts_ms: number, now_ms: number): void {
    this.#asked = { at_ms: now_ms, lasts_ms };
  }

  /** It came, or nobody waits for it any longer. */
  ends(came: boolean, now_ms: number): void {
    const asked = this.#asked;
    this.#asked = null;
    if (asked === null) return;
    const slow = now_ms - asked.at_ms > asked.lasts_ms;
    if (slow) this.#row = Math.max(this.#row, 0) + 1;
    else if (came) this.#row = Math.min(this.#row, 0) - 1;
    if (this.#row >= ROW) this.#is = true;
    else if (this.#row <= -ROW) this.#is = false;
  }

  /** Whether it is. One that is under way for as long as some play counts as so many. */
  look(now_ms: number): boolean {
    const asked = this.#asked;
    const late = asked === null || asked.lasts_ms <= 0 ? 0 : Math.floor((now_ms - asked.at_ms) / asked.lasts_ms);
    return this.#is || Math.max(this.#row, 0) + late >= ROW;
  }
}
