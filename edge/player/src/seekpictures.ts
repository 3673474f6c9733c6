// The seek bar's pictures: what playback lists, read (sights.ts), drawn (decoder.ts) and kept (stills.ts).

import { keyBytes } from "./api";
import { Beginnings } from "./beginning";
import { canDraw, Decoder } from "./decoder";
import type { Playback } from "./playback";
import { Sights } from "./sights";
import { type Seen, Stills } from "./stills";

export interface SeekPictures {
  /** What there is to see at a moment of the video's clock, in seconds. Of a picture that comes, `made` is called when it is there. */
  look(at_s: number): Seen<HTMLCanvasElement>;
  /** Nobody looks any more. */
  leave(): void;
}

/** Whoever counts bytes gets no pictures: browsers say so where they know. */
const savesBytes = (): boolean => (navigator as Navigator & { connection?: { saveData?: boolean } }).connection?.saveData === true;

/** `null` where the browser can't make any. */
export function seekPictures(playback: Playback, made: () => void): SeekPictures | null {
  if (!canDraw() || savesBytes()) return null;
  const now = () => performance.now();
  const beginnings = new Beginnings({ fetch: (url, init) => fetch(url, init), now });
  const decoder = new Decoder();
  const draws: Decoder["draws"] = (codec, description) => decoder.draws(codec, description);
  const sights = new Sights({ beginnings, places: (url) => playback.places(url), key: keyBytes, draws, now });
  const stills = new Stills({ may: (sight) => sights.may(sight), read: (sight) => sights.still(sight), draw: (still) => decoder.draw(still), now, made });
  return {
    look: (at_s) => stills.want(playback.sightAt(at_s)),
    leave: () => void stills.want(null),
  };
}
