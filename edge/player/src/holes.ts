// A picture that stands before a short hole in what is buffered, with more behind the hole. hls.js leaps over holes of which it
// knows that nothing comes to fill them; where it waits for a part that it gave up, a viewer who comes by later would stand
// there for good. No I/O, no clock.

/** So long the picture must have stood, in milliseconds: hls.js gets over most holes sooner, and what is on its way fills some. */
export const STANDS_MS = 3_000;
/** A longer hole, in seconds, is waited out: it is more than is lost of a segment, and may be filled. */
export const HOLE_S_MAX = 1;
/** With more than this ahead of it, in seconds, it does not stand before a hole: what it waits for is the browser. */
export const AHEAD_S_MAX = 0.5;
/** So much behind the hole it goes on, in seconds: browsers round where a range begins. */
const BEHIND_S = 0.05;

/** A stretch of buffered media: where it begins and ends, in seconds on the video's clock. */
export type Range = readonly [begin_s: number, end_s: number];

export class Holes {
  /** Where it stands, and since when. */
  #stands: { at_s: number; since_ms: number } | null = null;

  /**
   * Where the picture is to go on, in seconds on the video's clock; `null`: nowhere else. To be asked about once a second.
   * `wants`: it should play and can't: it is neither paused nor seeking, and waits for data. `buffered` is in order.
   */
  look({ at_s, wants, buffered }: { at_s: number; wants: boolean; buffered: readonly Range[] }, now_ms: number): number | null {
    if (!wants || this.#stands?.at_s !== at_s) {
      this.#stands = wants ? { at_s, since_ms: now_ms } : null;
      return null;
    }
    if (now_ms - this.#stands.since_ms < STANDS_MS) return null;
    const next = buffered.find(([begin_s]) => begin_s > at_s);
    if (next === undefined) return null;
    const [behind_s] = next;
    const hole_s = buffered.find(([begin_s, end_s]) => begin_s <= at_s && at_s <= end_s)?.[1] ?? at_s;
    if (hole_s - at_s > AHEAD_S_MAX || behind_s - hole_s > HOLE_S_MAX) return null;
    this.#stands = null;
    return behind_s + BEHIND_S;
  }
}
