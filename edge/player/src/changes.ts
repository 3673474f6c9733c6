// When a channel begins to give something else to choose from, such as a ladder that starts late or another sound: the edge says with
// each media playlist what there is to choose from, in a word, and what is played came with such a word too. No I/O, no clock.

/** What the edge calls the word in its answers. */
export const CHOICE_HEADER = "railbird-choice";

/** Another word must be said so often in a row: an edge that has not heard yet may say the old one once more. */
export const SAID_TIMES = 2;
/** Viewers don't all ask in the same moment: within so much time, in milliseconds. */
export const SPREAD_MS = 4_000;
/** After a look nothing else is looked at for so long, in milliseconds. */
export const AGAIN_MS = 30_000;

export class Changes {
  #random: () => number;
  /** What is played. */
  #played: string | null = null;
  #other: string | null = null;
  #times = 0;
  #due_ms: number | null = null;
  #looked_ms = Number.NEGATIVE_INFINITY;
  /** At the last look there was only less to choose from, by this word. */
  #less: string | null = null;

  constructor(random: () => number) {
    this.#random = random;
  }

  /** What is played came with this word, if with any. */
  get played(): string | null {
    return this.#played;
  }

  /** What is played from now on came with this word. */
  plays(word: string | null): void {
    this.#played = word;
    this.#less = null;
    this.#forget();
  }

  /** A media playlist came with this word; an edge that says none has nothing to tell. */
  hears(word: string | null, now_ms: number): void {
    if (word === null || this.#played === null || word === this.#played) {
      if (word !== null) this.#less = null;
      this.#forget();
      return;
    }
    this.#times = word === this.#other ? this.#times + 1 : 1;
    this.#other = word;
    if (this.#times >= SAID_TIMES) this.#due_ms ??= Math.max(now_ms + this.#random() * SPREAD_MS, this.#looked_ms + AGAIN_MS);
  }

  /** Whether to look at the multivariant playlist now. It is asked once for each time that there is something. */
  isDue(now_ms: number): boolean {
    if (this.#due_ms === null || now_ms < this.#due_ms) return false;
    this.#forget();
    this.#looked_ms = now_ms;
    return true;
  }

  /**
   * Whether to take what the look found. Where there is only less to choose from, and what plays is there (`less`), it is left
   * until the next look has found the same: an origin that comes back lacks its ladder for some seconds.
   */
  takes(word: string | null, less: boolean): boolean {
    const takes = word !== this.#played && (!less || (word !== null && word === this.#less));
    this.#less = less ? word : null;
    return takes;
  }

  #forget(): void {
    [this.#other, this.#times, this.#due_ms] = [null, 0, null];
  }
}
