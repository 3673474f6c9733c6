// Gets a picture going that stands though it need not: before a short hole in what is buffered (holes.ts), or where hls.js asks for
// nothing any more (gaps.ts).

import type Hls from "hls.js";
import { Gaps, nextOf, type Place } from "./gaps";
import { AHEAD_S_MAX, Holes } from "./holes";
import { bufferedAhead, ranges } from "./timeline";

/** What hls.js' loader of pictures does where it is not idle for want of something to load. */
const WAITS = new Set(["STOPPED", "WAITING_LEVEL", "PARSING", "PARSED", "ENDED"]);

export class Stand {
  #video: HTMLVideoElement;
  #note: (what: string, media_s: number) => void;
  #holes = new Holes();
  #gaps = new Gaps();
  /** Objects that are asked for. */
  #asked = 0;

  /** What it does is noted. */
  constructor(video: HTMLVideoElement, note: (what: string, media_s: number) => void) {
    this.#video = video;
    this.#note = note;
  }

  /** So many objects more are asked for, or less. */
  busy(by: 1 | -1): void {
    this.#asked += by;
  }

  /** To be called about once a second. `wanted` is the place of the rendition that the viewer chose, or -1; `failing`: playlists or keys fail. */
  look(hls: Hls, wanted: number, failing: boolean): void {
    const [video, now_ms] = [this.#video, performance.now()];
    const waits = !video.paused && video.readyState < HTMLMediaElement.HAVE_FUTURE_DATA;
    const hole_s = this.#holes.look({ at_s: video.currentTime, wants: waits && !video.seeking, buffered: ranges(video) }, now_ms);
    if (hole_s !== null) {
      this.#note("a hole is left out", video.currentTime);
      video.currentTime = hole_s;
      return;
    }
    const ahead_s = bufferedAhead(video);
    const next = waits && !failing && ahead_s <= AHEAD_S_MAX && this.#isIdle(hls) ? this.#next(hls, wanted, ahead_s) : null;
    const loading = next !== null ? "idle" : waits ? "waits" : "plays";
    if (this.#gaps.look(loading, now_ms) && next !== null) this.#begin(hls, wanted, next, ahead_s);
  }

  #isIdle({ inFlightFragments: { main, audio } }: Hls): boolean {
    return this.#asked === 0 && !WAITS.has(main.state) && audio?.state !== "WAITING_TRACK";
  }

  /** The next media that is listed and not buffered. */
  #next(hls: Hls, wanted: number, ahead_s: number): Place | null {
    const at_s = hls.hasEnoughToStart ? this.#video.currentTime + ahead_s : Math.max(0, hls.startPosition);
    const renditions = hls.levels.map(({ details }) => details?.fragments ?? []);
    return nextOf(renditions, at_s, wanted === -1 ? hls.loadLevel : wanted);
  }

  /** Begins to load there. */
  #begin(hls: Hls, wanted: number, { level, at_s }: Place, ahead_s: number): void {
    const video = this.#video;
    this.#note(`nothing is asked for: goes on at ${at_s} s`, video.currentTime);
    // By this hls.js forgets what it had against the renditions.
    hls.stopLoad();
    [hls.startLevel, hls.loadLevel, hls.nextAutoLevel] = [level, level === wanted ? level : -1, level];
    hls.startLoad(at_s);
    // Before the first picture hls.js goes there by itself.
    if (hls.hasEnoughToStart && at_s > video.currentTime + ahead_s) video.currentTime = at_s;
  }
}
