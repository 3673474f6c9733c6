// Keeps a live picture of low latency near to what is live, by playing a little faster or a jump (catchup.ts says when).

import type Hls from "hls.js";
import { CATCH_UP_RATE, CatchUp } from "./catchup";

export class Hurry {
  #video: HTMLVideoElement;
  #catchUp = new CatchUp();
  /** What is played is live, and comes in parts. */
  #parts = false;

  constructor(video: HTMLVideoElement) {
    this.#video = video;
    video.addEventListener("seeking", () => this.#catchUp.seeks(video.currentTime));
    video.addEventListener("pause", () => this.#catchUp.paused());
  }

  /** Another picture comes, from wherever it begins. */
  begin(): void {
    this.#catchUp.begin();
  }

  /** The viewer wants to be live. */
  live(): void {
    this.#catchUp.live();
  }

  /** The viewer wants to be there, in seconds on the video's clock. */
  seeks(at_s: number): void {
    this.#catchUp.seeks(at_s);
  }

  /** Whether what is played is live, and comes in parts. */
  inParts(hls: Hls, are: boolean): void {
    if (are === this.#parts) return;
    this.#parts = are;
    hls.config.maxLiveSyncPlaybackRate = are ? CATCH_UP_RATE : 1;
    // hls.js leaves the picture of a channel that ends as fast as it is.
    if (!are) this.#video.playbackRate = 1;
  }

  /** Brings a picture that is late nearer to what is live. Whether it is to jump there. */
  look(hls: Hls, behind_s: number, buffered_s: number): boolean {
    if (!this.#parts) return false;
    const video = this.#video;
    const moves = !video.paused && !video.seeking && video.readyState >= HTMLMediaElement.HAVE_FUTURE_DATA;
    const { rate, jump } = this.#catchUp.look({ at_s: video.currentTime, behind_s, buffered_s, moves }, performance.now());
    // Where hls.js may not play faster, it leaves the rate alone.
    hls.config.maxLiveSyncPlaybackRate = rate === null ? CATCH_UP_RATE : 1;
    if (rate !== null) video.playbackRate = rate;
    return jump;
  }
}
