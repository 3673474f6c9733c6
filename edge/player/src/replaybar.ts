// What goes under a recording: spoiler-free or not, ways ahead without an end in sight, and out of a clip.

import { el, setText } from "./dom";
import { t } from "./texts";

export interface Actions {
  /** Goes ahead by so much, in milliseconds. */
  skip(ms: number): void;
  /** Nothing is kept from the viewer any more, for this recording. */
  showAll(): void;
  /** Plays it again from the start, and keeps from the viewer what was not seen. */
  hide(): void;
}

/** How far a skip goes, in minutes. */
const SKIPS_MIN = [1, 5];

/** The bar of a whole recording. */
export function replayBar(free: boolean, actions: Actions): HTMLElement {
  const bar = el("div", { class: "replay-bar", "data-testid": "spoilers" });
  const draw = (now: boolean) => {
    const note = el("span", { class: "note" });
    bar.dataset["free"] = String(now);
    if (!now) {
      const hide = el("button", { type: "button" }, t("spoiler_free"));
      hide.addEventListener("click", () => {
        draw(true);
        actions.hide();
      });
      bar.replaceChildren(hide);
      return;
    }
    setText(note, t("spoiler_note"));
    const skips = SKIPS_MIN.map((minutes) => {
      const skip = el("button", { type: "button", "data-testid": `skip-${minutes * 60}` }, t("skip", { n: minutes }));
      skip.addEventListener("click", () => actions.skip(minutes * 60_000));
      return skip;
    });
    const all = el("button", { type: "button", "data-testid": "show-all" }, t("show_everything"));
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
  const go = el("button", { type: "button", class: "primary", "data-testid": "watch-from-here" }, t("watch_from_here"));
  go.addEventListener("click", whole);
  return el("div", { class: "replay-bar" }, el("span", { class: "note" }, t("a_clip")), go);
}
