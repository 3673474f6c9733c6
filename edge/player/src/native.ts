// The browser's own player of HLS, where there is no Media Source. It asks for a playlist by one address: of a recording that is
// told in stretches it gets the next one before the last is over.

import { runsOut } from "./reach";

export class Native {
  #video: HTMLVideoElement;
  /** Up to where it knows the recording, in milliseconds of media time; `null`: all of it. */
  #given_ms: number | null = null;

  constructor(video: HTMLVideoElement) {
    this.#video = video;
  }

  /** Whether there is such a player. */
  get can(): boolean {
    return this.#video.canPlayType("application/vnd.apple.mpegurl") !== "";
  }

  /** Plays what is at this address, which is told up to `until_ms`; a recording from a place on, and then `begun` is called. */
  give(url: string, until_ms: number | null, recording: { at_s: number; begun(): void } | null): void {
    this.#given_ms = until_ms;
    this.#video.src = url;
    if (recording === null) return;
    const begin = () => {
      this.#video.currentTime = recording.at_s;
      recording.begun();
    };
    this.#video.addEventListener("loadedmetadata", begin, { once: true });
  }

  /** Whether it is to be given more now, with the picture of `at_ms`. */
  runsOut(until_ms: number | null, at_ms: number): boolean {
    return runsOut(this.#given_ms, until_ms, at_ms);
  }
}
