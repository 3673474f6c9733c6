// How a viewer wants the score: language, size, whether at all, and a little earlier or later.

import { el, setText } from "./dom";
import { choose, current, direction, LANGUAGES, t, type Language } from "./texts";

/** By how much the score may be moved, in milliseconds: whoever keeps it may be a little late or early. */
const NUDGES_MS = [-1_000, -500, 0, 500, 1_000];

export interface Choices {
  large: boolean;
  hidden: boolean;
  /** Added to the score's times, in milliseconds. */
  nudge_ms: number;
}

const read = (key: string): string | null => {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
};
const keep = (key: string, value: string | null): void => {
  try {
    if (value === null) localStorage.removeItem(key);
    else localStorage.setItem(key, value);
  } catch {
    // Without storage it lasts as long as the page.
  }
};

const LARGE = "railbird-large";
const HIDDEN = "railbird-no-score";
/** Each table has a scorer of its own. */
const nudgeKey = (channel: string): string => `railbird-nudge-${channel}`;

export function choices(channel: string): Choices {
  const nudge_ms = Number(read(nudgeKey(channel)));
  return { large: read(LARGE) === "yes", hidden: read(HIDDEN) === "yes", nudge_ms: NUDGES_MS.includes(nudge_ms) ? nudge_ms : 0 };
}

/** The panel; `changed` is told of every choice, and of another language. */
export function scoreSettings(channel: string, changed: (choices: Choices, language: boolean) => void): HTMLElement {
  const chosen = choices(channel);
  const summary = el("summary", { "data-testid": "score-settings" });
  const language = el("select", { "data-testid": "language" });
  language.append(...Object.entries(LANGUAGES).map(([tag, name]) => el("option", { value: tag, lang: tag, selected: tag === current() }, name)));
  const large = el("input", { type: "checkbox", checked: chosen.large, "data-testid": "large-type" });
  const hidden = el("input", { type: "checkbox", checked: chosen.hidden, "data-testid": "hide-score" });
  const nudge = el("select", { "data-testid": "nudge" });
  const labels = [el("span"), el("span"), el("span"), el("span")] as const;
  const panel = el(
    "details",
    { class: "score-settings" },
    summary,
    el("label", {}, labels[0], language),
    el("label", {}, large, labels[1]),
    el("label", {}, hidden, labels[2]),
    el("label", {}, labels[3], nudge),
  );
  const write = () => {
    [panel.lang, panel.dir] = [current(), direction()];
    setText(summary, t("settings"));
    (["language", "large_type", "hide_score", "nudge"] as const).forEach((name, at) => setText(labels[at] ?? summary, t(name)));
    const seconds = (ms: number) => t("seconds", { n: `${ms > 0 ? "+" : ""}${ms / 1000}` });
    nudge.replaceChildren(
      ...NUDGES_MS.map((ms) => el("option", { value: String(ms), selected: ms === chosen.nudge_ms }, ms === 0 ? t("seconds", { n: 0 }) : seconds(ms))),
    );
  };
  language.addEventListener("change", () => {
    choose(language.value as Language);
    write();
    changed(chosen, true);
  });
  large.addEventListener("change", () => {
    chosen.large = large.checked;
    keep(LARGE, large.checked ? "yes" : null);
    changed(chosen, false);
  });
  hidden.addEventListener("change", () => {
    chosen.hidden = hidden.checked;
    keep(HIDDEN, hidden.checked ? "yes" : null);
    changed(chosen, false);
  });
  nudge.addEventListener("change", () => {
    chosen.nudge_ms = Number(nudge.value);
    keep(nudgeKey(channel), chosen.nudge_ms === 0 ? null : nudge.value);
    changed(chosen, false);
  });
  write();
  return panel;
}
