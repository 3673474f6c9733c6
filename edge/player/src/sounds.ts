// Which sound plays: where a channel has several, the one that the viewer chose.

import { el, setText } from "./dom";
import { current, t } from "./texts";

/** What is remembered of a choice: its language and its name, on two lines. */
const KEY = "railbird-sound";

/** A sound track, as its playlist names it. */
export interface Sound {
  readonly name: string;
  /** A tag of BCP 47; empty where nothing is said. */
  readonly language: string;
}

/** The place of what was chosen: of this name in this language, or else in this language; -1 for what plays by default. */
export function placeOf(sounds: readonly Sound[], chosen: Sound | null): number {
  if (chosen === null || sounds.length < 2) return -1;
  const same = sounds.findIndex(({ name, language }) => name === chosen.name && language === chosen.language);
  if (same !== -1 || chosen.language === "") return same;
  return sounds.findIndex(({ language }) => language === chosen.language);
}

/** What a viewer reads: its name, or that of its language where it has no other. */
export function wording({ name, language }: Sound, of: string): string {
  if (name !== language) return name;
  try {
    return new Intl.DisplayNames([of], { type: "language" }).of(language) ?? name;
  } catch {
    return name;
  }
}

/** What was chosen before, on this device. */
export function remembered(): Sound | null {
  const [language, name] = localStorage.getItem(KEY)?.split("\n") ?? [];
  return language === undefined || name === undefined ? null : { name, language };
}

export interface Sounds {
  /** The choice, to go beside the controls. */
  readonly bar: HTMLElement;
  /** Writes it anew. */
  refresh(): void;
}

/** A choice among `sounds()`, of which `playing()` is the place of the one that plays; `choose` is told what was chosen. */
export function sounds(all: () => readonly Sound[], playing: () => number, choose: (sound: Sound) => void): Sounds {
  const select = el("select", { "data-testid": "sound" });
  const bar = el("label", { class: "quality" }, el("span"), select);
  let shown = "";
  select.addEventListener("change", () => {
    const sound = all()[Number(select.value)];
    if (sound === undefined) return;
    localStorage.setItem(KEY, `${sound.language}\n${sound.name}`);
    choose(sound);
  });
  const refresh = () => {
    const there = all();
    const words = there.map((sound) => wording(sound, current()));
    const is = [t("sound"), ...words].join("\n");
    if (is !== shown) {
      shown = is;
      bar.hidden = there.length < 2;
      const [word] = bar.children;
      if (word instanceof HTMLElement) setText(word, t("sound"));
      select.replaceChildren(...words.map((text, place) => el("option", { value: String(place) }, text)));
    }
    const place = String(playing());
    // What somebody is choosing stays as it is.
    if (select.value !== place && document.activeElement !== select) select.value = place;
  };
  refresh();
  return { bar, refresh };
}
