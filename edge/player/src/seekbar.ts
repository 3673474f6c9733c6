// The seek bar: what can be played and where in it the picture is, and over it, where a viewer points or goes, what is to be seen
// there.

import { el, setText } from "./dom";
import { Gaze, placeOf, type Range } from "./gaze";
import { clock } from "./replays";
import type { SeekPictures } from "./seekpictures";

/** A window shorter than this, in seconds, is nothing to seek in. */
const SEEKABLE_S_MIN = 15;
/** How long what is to be seen there stays behind a step that was not made with a pointer, in milliseconds. */
const LINGER_MS = 1_500;
/** How far it keeps from the bar, and from the score, in pixels. */
const APART_PX = 6;

export interface SeekActions {
  /** Whether there is something live to go to. */
  live(): boolean;
  /** Nobody is to know how long it is. */
  endless(): boolean;
  /** What is to be seen where a viewer points; `null` where the browser can't say. */
  pictures: SeekPictures | null;
}

export class SeekBar {
  readonly timeline: HTMLElement;
  #video: HTMLVideoElement;
  #stage: HTMLElement;
  #actions: SeekActions;
  #seek = el("input", { type: "range", min: "0", step: "1", class: "seek", "aria-label": "Position", "data-testid": "seek" });
  #place = el("span", { class: "place", "data-testid": "position" });
  #frame = el("span", { class: "peek-picture", "data-testid": "peek-picture" });
  #time = el("span", { class: "peek-time", "data-testid": "peek-time" });
  // Only a hint for those who see it: the bar itself says where it is.
  #peek = el("div", { class: "peek", hidden: true, "aria-hidden": "true", "data-testid": "peek" }, this.#frame, this.#time);
  #gaze = new Gaze();
  #pointed = false;
  #linger: ReturnType<typeof setTimeout> | undefined;

  constructor(video: HTMLVideoElement, stage: HTMLElement, actions: SeekActions) {
    [this.#video, this.#stage, this.#actions] = [video, stage, actions];
    this.timeline = el("div", { class: "timeline" }, this.#seek, this.#place, this.#peek);
    const seek = this.#seek;
    seek.addEventListener("input", () => {
      const at_s = (this.range()?.from ?? 0) + Number(seek.value);
      this.seekTo(at_s);
      this.#gaze.goTo(at_s);
      this.#look();
    });
    seek.addEventListener("pointermove", ({ clientX, pointerType }) => {
      // A finger drags: then the bar says where to.
      if (pointerType === "touch") return;
      this.#pointed = true;
      this.#gaze.point(clientX);
      this.#look();
    });
    seek.addEventListener("change", () => this.#leaveSoon());
    for (const event of ["pointerleave", "pointercancel", "blur"]) {
      seek.addEventListener(event, () => {
        this.#pointed = false;
        this.#leave();
      });
    }
  }

  /** `null` where there is next to nothing. */
  range(): Range | null {
    const { seekable } = this.#video;
    if (seekable.length === 0) return null;
    const [from, to] = [seekable.start(0), seekable.end(seekable.length - 1)];
    return Number.isFinite(to) && to - from >= SEEKABLE_S_MIN ? { from, to } : null;
  }

  seekTo(at_s: number): void {
    const range = this.range();
    if (range !== null) this.#video.currentTime = Math.min(Math.max(at_s, range.from), range.to);
  }

  /** Goes so many seconds on, or back, and shows what is there. */
  step(by_s: number): void {
    const at_s = this.#video.currentTime + by_s;
    this.seekTo(at_s);
    this.#gaze.goTo(at_s);
    this.#look();
    this.#leaveSoon();
  }

  /** A picture that was wanted has been made. */
  shown(): void {
    this.#see();
  }

  refresh(): void {
    const range = this.range();
    this.timeline.hidden = range === null;
    if (range === null) return this.#leave();
    const at_s = this.#video.currentTime - range.from;
    const whole_s = range.to - range.from;
    const seek = this.#seek;
    seek.max = String(Math.floor(whole_s));
    seek.value = String(Math.floor(at_s));
    seek.hidden = this.#actions.endless();
    const here = this.#words(at_s, whole_s);
    setText(this.#place, seek.hidden || this.#actions.live() ? here : `${here} / ${clock(whole_s)}`);
    seek.setAttribute("aria-valuetext", this.#actions.live() ? `${clock(whole_s - at_s)} behind` : clock(at_s));
    // What is there may be something else by now.
    this.#see();
  }

  /** A place as people read it: from the beginning, or behind what is live. */
  #words(at_s: number, whole_s: number): string {
    return this.#actions.live() && !this.#actions.endless() ? `−${clock(whole_s - at_s)}` : clock(at_s);
  }

  /** Looks elsewhere than before. */
  #look(): void {
    clearTimeout(this.#linger);
    this.#see();
  }

  /** Shows what is to be seen by now where the viewer looks. */
  #see(): void {
    const range = this.range();
    if (range === null || this.#actions.endless()) return this.#leave();
    const at_s = this.#gaze.moment(range, this.#seek.getBoundingClientRect());
    if (at_s === null) return;
    const seen = this.#actions.pictures?.look(at_s) ?? { what: "nothing" };
    this.#peek.classList.toggle("bare", seen.what === "nothing");
    if (seen.what !== "picture") this.#frame.replaceChildren();
    else if (this.#frame.firstChild !== seen.picture) this.#frame.replaceChildren(seen.picture);
    setText(this.#time, this.#words(at_s - range.from, range.to - range.from));
    this.#peek.hidden = false;
    this.#put((at_s - range.from) / (range.to - range.from));
  }

  /** Puts it over its place, within the bar's width, and above the score where that is in its way. */
  #put(share: number): void {
    const [peek, line, seek] = [this.#peek.getBoundingClientRect(), this.timeline.getBoundingClientRect(), this.#seek.getBoundingClientRect()];
    const wanted = placeOf(share, seek);
    const half = peek.width / 2;
    const middle = Math.max(line.left + half, Math.min(wanted, line.right - half));
    this.#peek.style.left = `${middle - line.left}px`;
    const bottom = line.top - APART_PX;
    const board = this.#stage.querySelector(".board")?.getBoundingClientRect();
    const meets = board !== undefined && board.width > 0 && board.left < middle + half + APART_PX && board.right > middle - half - APART_PX && board.top < bottom && board.bottom > bottom - peek.height;
    this.#peek.style.bottom = `${line.bottom - (meets ? board.top - APART_PX : bottom)}px`;
  }

  #leaveSoon(): void {
    clearTimeout(this.#linger);
    if (!this.#pointed) this.#linger = setTimeout(() => this.#leave(), LINGER_MS);
  }

  #leave(): void {
    clearTimeout(this.#linger);
    if (this.#gaze.away) return;
    this.#gaze.leave();
    this.#peek.hidden = true;
    this.#actions.pictures?.leave();
  }
}
