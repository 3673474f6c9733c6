// What asking twice may cost: the bytes that came of nothing, kept to a share of those that were played. No I/O, no clock.

/** The time over which the share is kept, in milliseconds, and in how many steps it moves on. */
export const WINDOW_MS = 600_000;
export const STEPS = 20;
/** Extra bytes allowed for each byte of media. */
export const SHARE_MAX = 0.02;
/** Extra bytes allowed besides: a viewer who has just come can be helped too. */
export const BURST_BYTES = 3 << 20;
/** How large a segment is taken for before the first has come, in bytes. */
export const SEGMENT_BYTES = 1 << 20;

interface Step {
  number: number;
  media: number;
  extra: number;
}

/** The extra bytes of one viewer. */
export class Extra {
  #steps: Step[] = [];
  #held = 0;
  #media = 0;
  #extra = 0;
  /** How large a segment is expected to be, in bytes: as large as the last one. */
  segment = SEGMENT_BYTES;

  /** All bytes of media since the beginning, and all extra ones. */
  get total(): { media: number; extra: number } {
    return { media: this.#media, extra: this.#extra };
  }

  /** A segment of so many bytes came whole. */
  media(bytes: number, now_ms: number): void {
    this.segment = bytes;
    this.#media += bytes;
    this.#step(now_ms).media += bytes;
  }

  /** So many bytes came of nothing. */
  spend(bytes: number, now_ms: number): void {
    this.#extra += bytes;
    this.#step(now_ms).extra += bytes;
  }

  /** Whether so many further bytes may be spent. If so, they are held until {@link release}. */
  hold(bytes: number, now_ms: number): boolean {
    this.#step(now_ms);
    let [media, extra] = [0, this.#held];
    for (const step of this.#steps) {
      media += step.media;
      extra += step.extra;
    }
    if (extra + bytes > SHARE_MAX * media + BURST_BYTES) return false;
    this.#held += bytes;
    return true;
  }

  /** What was held is either spent by now or not needed. */
  release(bytes: number): void {
    this.#held = Math.max(0, this.#held - bytes);
  }

  /** The step that is now; those that the window has left are forgotten. */
  #step(now_ms: number): Step {
    const number = Math.floor((now_ms * STEPS) / WINDOW_MS);
    this.#steps = this.#steps.filter((step) => step.number > number - STEPS);
    let step = this.#steps.find((known) => known.number === number);
    if (step === undefined) {
      step = { number, media: 0, extra: 0 };
      this.#steps.push(step);
    }
    return step;
  }
}
