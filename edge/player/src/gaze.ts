// Where a viewer looks along the seek bar: where a pointer rests, whose moment is another one as what can be played moves on, or a
// moment that was gone to. No I/O, no clock.

/** What can be played: from and to, in seconds of the video's clock. */
export interface Range {
  from: number;
  to: number;
}

/** The bar on the page, in pixels. */
export interface Line {
  left: number;
  width: number;
}

/** How much of the bar's length its thumb takes, in pixels, as browsers draw it: its middle stays within the bar. */
const THUMB_PX = 16;

/** The place on the page that stands for a share of what can be played. */
export function placeOf(share: number, { left, width }: Line): number {
  return left + THUMB_PX / 2 + share * (width - THUMB_PX);
}

export class Gaze {
  #at: { x_px: number } | { at_s: number } | null = null;

  get away(): boolean {
    return this.#at === null;
  }

  /** A pointer is at this place of the page. */
  point(x_px: number): void {
    this.#at = { x_px };
  }

  /** It was gone to this moment, in seconds of the video's clock. */
  goTo(at_s: number): void {
    this.#at = { at_s };
  }

  leave(): void {
    this.#at = null;
  }

  /** The moment that is looked at by now, within what can be played; `null` where nobody looks. */
  moment({ from, to }: Range, { left, width }: Line): number | null {
    if (this.#at === null) return null;
    const at_s = "at_s" in this.#at ? this.#at.at_s : from + ((this.#at.x_px - left - THUMB_PX / 2) / Math.max(1, width - THUMB_PX)) * (to - from);
    return Math.min(Math.max(at_s, from), to);
  }
}
