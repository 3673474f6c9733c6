// What goes under a recording: spoiler-free or not, ways ahead without an end in sight, and out of a clip.

import { el, setText } from "./dom";

export interface Actions {
  /** Goes ahead by so much, in milliseconds. */
  skip(ms: number): void;
  /** Nothing is kept from the viewer any more, for this recording. */
  showAll(): void;
  /** Plays it again from the start, and keeps from the viewer what was not seen. */
  hide(): void;
}

const SKIPS: readonly [number, string][] = [
  [60_000, "+1 min"],
  [300_000, "+5 min"],
];

/** The bar of a whole recording. */
export function replayBar(free: boolean, actions: Actions): HTMLElement {
  const bar = el("div", { class: "replay-bar", "data-testid": "spoilers" });
  const draw = (now: boolean) => {
    const note = el("span", { class: "note" });
    bar.dataset["free"] = String(now);
    if (!now) {
      const hide = el("button", { type: "button" }, "Spoiler-free");
      hide.addEventListener("click", () => {
        draw(true);
        actions.hide();
      });
      bar.replaceChildren(hide);
      return;
    }
    setText(note, "Spoiler-free: nothing is told before you see it.");
    const skips = SKIPS.map(([ms, label]) => {
      const skip = el("button", { type: "button", "data-testid": `skip-${ms / 1000}` }, label);
      skip.addEventListener("click", () => actions.skip(ms));
      return skip;
    });
    const all = el("button", { type: "button", "data-testid": "show-all" }, "Show everything");
    all.addEventListener("click", () => {
      draw(false);
      actions.showAll();
    });
    bar.replaceChildren(note, ...skips, all);
  };
  draw(free);
  return bar;
}

/** The bar of a clip. */
export function clipBar(whole: () => void): HTMLElement {
  const go = el("button", { type: "button", class: "primary", "data-testid": "watch-from-here" }, "Watch from here");
  go.addEventListener("click", whole);
  return el("div", { class: "replay-bar" }, el("span", { class: "note" }, "A clip of the recording."), go);
}
