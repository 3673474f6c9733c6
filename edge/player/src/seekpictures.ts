// The seek bar's pictures: what playback lists, read (sights.ts), drawn (decoder.ts) and kept (stills.ts).

import { keyBytes } from "./api";
import { Beginnings } from "./beginning";
import { canDraw, Decoder } from "./decoder";
import type { Playback } from "./playback";
import { Sights } from "./sights";
import { Stills } from "./stills";

export interface SeekPictures {
  /** The picture of a moment of the video's clock, in seconds, where there is one; else it is made, and `made` is called. */
  picture(at_s: number | null): HTMLCanvasElement | null;
}

/** Whoever counts bytes gets no pictures: browsers say so where they know. */
const savesBytes = (): boolean => (navigator as Navigator & { connection?: { saveData?: boolean } }).connection?.saveData === true;

/** `null` where the browser can't make any. */
export function seekPictures(playback: Playback, made: () => void): SeekPictures | null {
  if (!canDraw() || savesBytes()) return null;
  const now = () => performance.now();
  const beginnings = new Beginnings({ fetch: (url, init) => fetch(url, init), now });
  const sights = new Sights({ beginnings, places: (url) => playback.places(url), key: keyBytes });
  const decoder = new Decoder();
  const stills = new Stills({ read: (sight) => sights.still(sight), draw: (still) => decoder.draw(still), now, made });
  return { picture: (at_s) => stills.want(at_s === null ? null : playback.sightAt(at_s)) };
}
