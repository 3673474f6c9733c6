// How good the picture is: as the line allows, or always as the viewer chose.

import { el, setText } from "./dom";
import { t } from "./texts";

/** What is remembered of a choice, by the height of the picture. */
const KEY = "railbird-quality";

/** The heights of pictures that there are to choose from, the best first; none where there is no choice. */
export function choices(heights: readonly number[]): number[] {
  const all = [...new Set(heights.filter((height) => height > 0))].sort((a, b) => b - a);
  return all.length > 1 ? all : [];
}

/** The place of what is nearest below the chosen height, or the lowest one; -1 for what the line allows. */
export function placeOf(heights: readonly number[], chosen: number | null): number {
  if (chosen === null) return -1;
  const pictures = choices(heights);
  const height = pictures.find((height) => height <= chosen) ?? pictures.at(-1);
  return height === undefined ? -1 : heights.indexOf(height);
}

/** hls.js leaves the choice at a gap or an error of its rendition; it is gone back to so long after, in milliseconds. */
const AWAY_MS = 8_000;

/** Sees that what was chosen is played again once its rendition goes on. */
export class Keeper {
  #left_ms: number | null = null;

  /** Whether to go back to the choice now: `left` says whether it is not what is loaded. */
  goesBack(left: boolean, now_ms: number): boolean {
    if (!left) this.#left_ms = null;
    else this.#left_ms ??= now_ms;
    if (this.#left_ms === null || now_ms - this.#left_ms < AWAY_MS) return false;
    this.#left_ms = null;
    return true;
  }
}

/** What was chosen before, on this device. */
export function remembered(): number | null {
  const height = Number(localStorage.getItem(KEY));
  return Number.isInteger(height) && height > 0 ? height : null;
}

export interface Qualities {
  /** The choice, to go beside the controls. */
  readonly bar: HTMLElement;
  /** Writes it anew. */
  refresh(): void;
}

/** A choice among `heights()`; `choose` is told what was chosen. */
export function qualities(heights: () => readonly number[], choose: (height: number | null) => void): Qualities {
  const select = el("select", { "data-testid": "quality" });
  const bar = el("label", { class: "quality" }, el("span"), select);
  let shown = "";
  select.addEventListener("change", () => {
    const height = select.value === "" ? null : Number(select.value);
    if (height === null) localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, select.value);
    choose(height);
  });
  const refresh = () => {
    const all = choices(heights());
    const words = [t("quality"), t("automatic"), ...all].join();
    if (words === shown) return;
    shown = words;
    bar.hidden = all.length === 0;
    const [word] = bar.children;
    if (word instanceof HTMLElement) setText(word, t("quality"));
    const automatic = el("option", { value: "" }, t("automatic"));
    select.replaceChildren(automatic, ...all.map((height) => el("option", { value: String(height) }, `${height}p`)));
    const chosen = remembered();
    select.value = chosen !== null && all.includes(chosen) ? String(chosen) : "";
  };
  refresh();
  return { bar, refresh };
}
