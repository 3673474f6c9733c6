// The score without its picture, where data is dear: nothing is loaded, and the last picture stays as a still.

import { el, setText } from "./dom";
import type { Playback } from "./playback";
import { t } from "./texts";

/** The widest still, in pixels. */
const STILL_WIDTH_MAX = 960;

export interface DataMode {
  readonly on: boolean;
  /** The button, to go under the picture. */
  readonly bar: HTMLElement;
  /** Writes its words anew. */
  refresh(): void;
  /** Brings the picture back. Whether it was away. */
  leave(): boolean;
}

/** Keeps what the video shows as a still. False where it shows nothing. */
export function keepStill(video: HTMLVideoElement, still: HTMLCanvasElement): boolean {
  const { videoWidth, videoHeight } = video;
  const context = videoWidth === 0 ? null : still.getContext("2d");
  if (context === null) return false;
  const scale = Math.min(1, STILL_WIDTH_MAX / videoWidth);
  [still.width, still.height] = [Math.round(videoWidth * scale), Math.round(videoHeight * scale)];
  context.drawImage(video, 0, 0, still.width, still.height);
  return true;
}

export function dataMode(video: HTMLVideoElement, still: HTMLCanvasElement, playback: Playback, changed: () => void): DataMode {
  let on = false;
  const button = el("button", { type: "button", "data-testid": "score-only", "aria-pressed": "false" });
  const note = el("span", { class: "note" });
  const bar = el("div", { class: "data-mode" }, button, note);
  const show = () => {
    still.hidden = !on;
    button.setAttribute("aria-pressed", String(on));
    setText(button, t(on ? "show_picture" : "score_only"));
    setText(note, on ? t("no_picture") : "");
    changed();
  };
  const set = (next: boolean) => {
    if (next === on) return;
    on = next;
    if (on) {
      keepStill(video, still);
      playback.stop();
    } else playback.start();
    show();
  };
  button.addEventListener("click", () => set(!on));
  setText(button, t("score_only"));
  return {
    get on() {
      return on;
    },
    bar,
    refresh: show,
    leave() {
      const was = on;
      set(false);
      return was;
    },
  };
}
