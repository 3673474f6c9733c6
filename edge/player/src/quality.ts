// How good the picture is: as the line allows, or always as the viewer chose; or the sound without it.

import { el, setText } from "./dom";
import { t } from "./texts";
import { NOTHING, type Offer } from "./variants";

/** What is remembered of a choice: the height of the picture, or that there shall be none. */
const KEY = "railbird-quality";

/** The sound without a picture. */
export const SOUND_ONLY = "sound";

/** How high a picture a viewer wants, or none; `null`: what the line allows. */
export type Quality = number | typeof SOUND_ONLY | null;

/** The heights of pictures that there are to choose from, the best first; none where there is no choice. */
export function choices(heights: readonly number[]): number[] {
  const all = [...new Set(heights.filter((height) => height > 0))].sort((a, b) => b - a);
  return all.length > 1 ? all : [];
}

/**
 * The place of what is nearest below the chosen height, or the lowest one; -1 for what the line allows. Who wants no picture and must
 * have one gets the lowest.
 */
export function placeOf(heights: readonly number[], chosen: Quality): number {
  if (chosen === null) return -1;
  const pictures = choices(heights);
  const height = pictures.find((height) => chosen !== SOUND_ONLY && height <= chosen) ?? pictures.at(-1);
  return height === undefined ? -1 : heights.indexOf(height);
}

/** What is shown as chosen of what there is: the text of {@link Quality}, empty for what the line allows. */
export function shownAs(offer: Offer, chosen: Quality): string {
  if (chosen === SOUND_ONLY && offer.alone) return SOUND_ONLY;
  if (chosen !== SOUND_ONLY) return chosen !== null && choices(offer.heights).includes(chosen) ? String(chosen) : "";
  const place = placeOf(offer.heights, chosen);
  return place === -1 ? "" : String(offer.heights[place]);
}

/** hls.js leaves the choice at a gap or an error of its rendition; it is gone back to so long after, in milliseconds. */
const AWAY_MS = 8_000;

/** Sees that what was chosen is played again once its rendition goes on. */
export class Keeper {
  #left_ms: number | null = null;
  #lacks = false;

  /** The rendition of the choice has a gap, for which hls.js leaves it. */
  lacks(): void {
    this.#lacks = true;
  }

  /**
   * Whether to go back to the choice now: `left` says whether it is not what is loaded, `goesOn` whether its rendition has what comes
   * next, or `null` where that is not known. It decides where the choice was left at a gap; after an error it says nothing.
   */
  goesBack(left: boolean, goesOn: boolean | null, now_ms: number): boolean {
    if (left) this.#left_ms ??= now_ms;
    else [this.#left_ms, this.#lacks] = [null, false];
    if (this.#left_ms === null) return false;
    const back = this.#lacks && goesOn !== null ? goesOn : now_ms - this.#left_ms >= AWAY_MS;
    if (back) [this.#left_ms, this.#lacks] = [null, false];
    return back;
  }
}

/** A choice as it is remembered. */
function parse(text: string | null): Quality {
  if (text === SOUND_ONLY) return SOUND_ONLY;
  const height = Number(text);
  return Number.isInteger(height) && height > 0 ? height : null;
}

/** What was chosen before, on this device. */
export const remembered = (): Quality => parse(localStorage.getItem(KEY));

export interface Qualities {
  /** The choice, to go beside the controls. */
  readonly bar: HTMLElement;
  /** Writes it anew. */
  refresh(): void;
  /** Chooses as if the viewer had done so there. */
  choose(quality: Quality): void;
}

/** A choice among what `offer()` has; `choose` is told what was chosen. */
export function qualities(offer: () => Offer, choose: (quality: Quality) => void): Qualities {
  const select = el("select", { "data-testid": "quality" });
  const bar = el("label", { class: "quality" }, el("span"), select);
  let [shown, there] = ["", NOTHING];
  const take = (quality: Quality) => {
    if (quality === null) localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, String(quality));
    choose(quality);
    select.value = shownAs(there, quality);
  };
  select.addEventListener("change", () => take(parse(select.value)));
  const refresh = () => {
    there = offer();
    const options = [...choices(there.heights).map((height) => [String(height), `${height}p`]), ...(there.alone ? [[SOUND_ONLY, t("sound_only")]] : [])];
    const words = [t("quality"), t("automatic"), ...options.flat()].join();
    if (words === shown) return;
    shown = words;
    bar.hidden = options.length === 0;
    const [word] = bar.children;
    if (word instanceof HTMLElement) setText(word, t("quality"));
    select.replaceChildren(...[["", t("automatic")], ...options].map(([value = "", text = ""]) => el("option", { value }, text)));
    select.value = shownAs(there, remembered());
  };
  refresh();
  return { bar, refresh, choose: take };
}
