// What is seen where only the sound is played: a poster in the picture's place, with the score on it. And the offer to do without the
// picture where the line is too thin for it.

import type { Choosing } from "./choosing";
import { el, icon, setText } from "./dom";
import { t } from "./texts";

export interface SoundOnly {
  /** Goes over the video, under what is said of the state. */
  readonly poster: HTMLElement;
  /** Goes over the picture. */
  readonly hint: HTMLElement;
  /** Draws them anew; call it every second or so. */
  refresh(): void;
}

/** Of what `choosing` plays on this stage; `accept` chooses the sound alone. */
export function soundOnly(choosing: Choosing, stage: HTMLElement, accept: () => void): SoundOnly {
  const [title, more, why] = [el("strong"), el("span"), el("span")];
  const poster = el("div", { class: "poster", "data-testid": "sound-only", hidden: true }, icon("sound"), title, more);
  const take = el("button", { type: "button", class: "primary", "data-testid": "sound-only-offer" });
  const close = el("button", { type: "button" });
  const hint = el("div", { class: "hint", role: "status", "data-testid": "too-slow", hidden: true }, why, take, close);
  // Who wants the picture all the same is not asked again on this page.
  let refused = false;
  const refresh = () => {
    const { alone, tooThin } = choosing;
    poster.hidden = !alone;
    hint.hidden = refused || !tooThin;
    stage.classList.toggle("sound-only", alone);
    setText(title, t("sound_only"));
    setText(more, t("no_picture"));
    setText(why, t("too_slow"));
    setText(take, t("sound_only"));
    setText(close, t("close"));
  };
  take.addEventListener("click", () => {
    accept();
    refresh();
  });
  close.addEventListener("click", () => {
    refused = true;
    refresh();
  });
  refresh();
  return { poster, hint, refresh };
}
