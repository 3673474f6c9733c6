// Where a moment of media time is on the video's own clock, and the other way round: by hls.js, or where the browser plays by itself
// (`null`), by what that says.

import type Hls from "hls.js";
import type { Range } from "./holes";

type Video = HTMLVideoElement & { getStartDate?: () => Date };

/** The date of position 0, which Safari's own player knows, in milliseconds; not a number where it is not known. */
const startOf = (video: Video): number => video.getStartDate?.().getTime() ?? Number.NaN;

/** A moment's place: in seconds, or that it is no longer, or not yet, listed. */
export function placeOf(hls: Hls | null, video: Video, at_ms: number): number | "gone" | "ahead" {
  if (hls === null) {
    const start = startOf(video);
    return Number.isNaN(start) ? "ahead" : Math.max(0, (at_ms - start) / 1000);
  }
  const fragments = hls.latestLevelDetails?.fragments ?? [];
  const after = fragments.findIndex(({ programDateTime }) => programDateTime !== null && programDateTime > at_ms);
  const fragment = after === 0 ? undefined : after < 0 ? fragments.at(-1) : fragments[after - 1];
  if (fragment === undefined) return fragments.length === 0 ? "ahead" : "gone";
  const into_s = (at_ms - (fragment.programDateTime ?? at_ms)) / 1000;
  if (into_s <= fragment.duration) return fragment.start + into_s;
  // In a hole, what comes next is nearest.
  return fragments[after]?.start ?? "ahead";
}

/** The date of the picture now shown; `null` before the first. */
export function playingDate(hls: Hls | null, video: Video): Date | null {
  if (hls !== null) return hls.playingDate;
  const start = startOf(video);
  return Number.isNaN(start) ? null : new Date(start + video.currentTime * 1000);
}

/** So far behind the end of what the browser's own player lists, in seconds, is who watches live. */
const NATIVE_BEHIND_S = 6;

/** Where a viewer who watches live would be, in seconds on the video's clock; `null` where unknown. */
export function livePosition(hls: Hls | null, { seekable }: Video): number | null {
  return hls?.liveSyncPosition ?? (seekable.length > 0 ? seekable.end(seekable.length - 1) - NATIVE_BEHIND_S : null);
}

/** Seconds of media ahead of the picture. */
export function bufferedAhead({ buffered, currentTime }: HTMLVideoElement): number {
  for (let i = 0; i < buffered.length; i += 1) {
    if (buffered.start(i) <= currentTime + 0.1 && currentTime < buffered.end(i)) return buffered.end(i) - currentTime;
  }
  return 0;
}

/** What is buffered, in order. */
export function ranges({ buffered }: HTMLVideoElement): Range[] {
  return Array.from({ length: buffered.length }, (_, i) => [buffered.start(i), buffered.end(i)] as const);
}
