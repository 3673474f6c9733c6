// Draws a score: the board over the picture, the sheet under it, and what a screen reader hears.

import { el, setText } from "./dom";
import { countryName, flag } from "./flags";
import type { Match, PastUnit, ScoreState } from "./score";
import { current, direction, t } from "./texts";
import { about, figure, figures, heading, rests, result, shotClock, spoken, stands, target, type Figure } from "./wording";

/** The least time between two announcements, in milliseconds. */
const ANNOUNCE_MS = 10_000;
/** So many seconds before its end the shot clock warns. */
const WARN_S = 10;

interface Row {
  row: HTMLElement;
  cue: HTMLElement;
  name: HTMLElement;
  country: HTMLElement;
  won: HTMLElement;
  run: HTMLElement;
  points: HTMLElement;
  shootout: HTMLElement;
}

function boardRow(side: number): Row {
  const cue = el("span", { class: "cue" });
  const name = el("bdi", { class: "name", "data-testid": `score-name-${side}` });
  const country = el("span", { class: "country", "data-testid": `score-country-${side}` });
  const won = el("span", { class: "units", "data-testid": `score-won-${side}` });
  const run = el("span", { class: "run", "data-testid": `score-run-${side}` });
  const points = el("span", { class: "points", "data-testid": `score-points-${side}` });
  const shootout = el("span", { class: "shootout", "data-testid": `score-shootout-${side}` });
  const row = el("div", { class: "side" }, cue, country, name, won, run, points, shootout);
  return { row, cue, name, country, won, run, points, shootout };
}

export class Scoreboard {
  /** Goes over the picture. */
  readonly board: HTMLElement;
  /** Goes under the picture. */
  readonly sheet: HTMLElement;
  #rows = [boardRow(0), boardRow(1)] as const;
  #stands = el("span", { "data-testid": "score-inning" });
  #to = el("span", { class: "to" });
  #clock = el("span", { class: "shot-clock", "data-testid": "shot-clock", hidden: true });
  #rests = el("div", { class: "rests", "data-testid": "score-rests", hidden: true });
  #past = el("div", { class: "past", "data-testid": "score-units", hidden: true });
  #heading = el("h2", { "data-testid": "match-title" });
  #about = el("p", { class: "about" });
  #table = el("table", { "data-testid": "score-sheet" });
  #voice = el("p", { class: "unseen", "aria-live": "polite", "aria-atomic": "true" });
  #said = "";
  #said_ms = Number.NEGATIVE_INFINITY;
  #drawn: ScoreState | null = null;
  #match: Match | null = null;
  #language = current();
  #past_count = -1;
  #hidden = false;

  constructor() {
    const foot = el("div", { class: "foot" }, this.#stands, this.#clock, this.#to);
    // The sheet and the voice say the same: the board is for eyes only.
    this.board = el(
      "div",
      { class: "board", "data-testid": "score", "aria-hidden": "true", hidden: true },
      ...this.#rows.map(({ row }) => row),
      this.#past,
      this.#rests,
      foot,
    );
    const scroller = el("div", { class: "table" }, this.#table);
    this.sheet = el("section", { class: "sheet", hidden: true }, this.#heading, this.#about, scroller, this.#voice);
  }

  /** Takes the board off the picture, or brings it back. */
  hide(hidden: boolean): void {
    this.#hidden = hidden;
    this.board.hidden = hidden || this.#drawn === null;
  }

  /** Draws the score of a moment, which is so long after its entry; `null` takes the board away. */
  draw(match: Match | null, state: ScoreState | null, at: { at_ms: number; after_ms: number }, now_ms: number): void {
    if (match === null || state === null) {
      [this.#match, this.#drawn] = [null, null];
      this.board.hidden = this.sheet.hidden = true;
      return;
    }
    const past = match.units.filter(({ at_ms }) => at_ms <= at.at_ms);
    const same = match === this.#match && state === this.#drawn && current() === this.#language && past.length === this.#past_count;
    if (!same) {
      [this.#match, this.#drawn, this.#language, this.#past_count] = [match, state, current(), past.length];
      this.board.hidden = this.#hidden;
      this.sheet.hidden = false;
      this.#paint(match, state, past);
    }
    this.#count(state, at.after_ms);
    this.#announce(match, state, now_ms);
  }

  #paint(match: Match, state: ScoreState, past: readonly PastUnit[]): void {
    const finished = state.phase === "finished";
    for (const element of [this.board, this.sheet]) {
      element.lang = current();
      element.dir = direction();
    }
    this.sheet.setAttribute("aria-label", t("score"));
    const units = match.unit !== "match";
    for (const index of [0, 1] as const) {
      const [row, side, who] = [this.#rows[index], state.sides[index], match.sides[index]];
      const turn = !finished && state.at_table === index;
      row.row.classList.toggle("turn", turn);
      row.row.classList.toggle("won", finished && state.winner === index);
      row.cue.dataset["ball"] = side.ball ?? "";
      setText(row.name, who.name);
      this.#country(row.country, who.country);
      setText(row.won, units && side.won !== null ? String(side.won) : "");
      const playing = state.phase === "playing" || state.phase === "extension";
      setText(row.run, turn && side.run > 0 && playing ? `+${side.run}` : "");
      // Racks may be all that is counted.
      const counts = side.won === null || side.points !== 0 || state.inning > 0 || match.target !== null;
      setText(row.points, counts ? String(side.points + (side.extension ?? 0)) : "");
      setText(row.shootout, side.shootout === null ? "" : String(side.shootout));
    }
    setText(this.#stands, stands(match, state));
    setText(this.#to, target(match));
    const why = rests(match, state);
    this.#rests.hidden = why === "";
    setText(this.#rests, why);
    this.#past.hidden = past.length === 0 || past.every(({ points: [a, b] }) => a === 0 && b === 0);
    setText(this.#past, this.#past.hidden ? "" : past.map(result).join("  "));
    setText(this.#heading, match.title === "" ? `${match.sides[0].name} – ${match.sides[1].name}` : match.title);
    setText(this.#about, [...about(match), stands(match, state)].filter((part) => part !== "").join(" · "));
    this.#tabulate(match, state, figures(match, state));
  }

  #country(place: HTMLElement, code: string): void {
    const name = code === "" ? "" : countryName(code, current());
    if (place.dataset["code"] === code && place.title === name) return;
    place.dataset["code"] = code;
    place.title = name;
    const drawn = code === "" ? null : flag(code);
    place.classList.toggle("letters", drawn === null && code !== "");
    place.replaceChildren(drawn ?? code);
  }

  #tabulate(match: Match, state: ScoreState, shown: readonly Figure[]): void {
    const finished = state.phase === "finished";
    const head = el("tr", {}, el("td"), ...shown.map((what) => el("th", { scope: "col" }, heading(match, what))));
    const lines = ([0, 1] as const).map((index) => {
      const [side, who] = [state.sides[index], match.sides[index]];
      const won = finished && state.winner === index;
      const country = who.country === "" ? "" : `, ${countryName(who.country, current())}`;
      const ball = side.ball === null ? "" : `, ${t(side.ball === "white" ? "white_ball" : "yellow_ball")}`;
      const more = el("span", { class: "unseen" }, `${country}${ball}`);
      const name = el("th", { scope: "row" }, el("bdi", {}, won ? t("won", { name: who.name }) : who.name), more);
      const line = el("tr", {}, name, ...shown.map((what) => el("td", {}, figure(side, what))));
      line.classList.toggle("turn", !finished && state.at_table === index);
      line.classList.toggle("won", won);
      return line;
    });
    this.#table.replaceChildren(el("thead", {}, head), el("tbody", {}, ...lines));
  }

  /** Counts the shot clock down by the picture's time: it stands when the picture does. */
  #count(state: ScoreState, after_ms: number): void {
    const left_s = shotClock(state, after_ms);
    this.#clock.hidden = left_s === null;
    if (left_s === null) return;
    setText(this.#clock, String(left_s));
    this.#clock.title = t("shot_clock");
    this.#clock.dataset["low"] = String(left_s <= WARN_S);
    this.#clock.dataset["runs"] = String(state.shot_clock?.running === true);
  }

  #announce(match: Match, state: ScoreState, now_ms: number): void {
    if (now_ms - this.#said_ms < ANNOUNCE_MS) return;
    const words = spoken(match, state);
    if (words === this.#said) return;
    this.#said = words;
    this.#said_ms = now_ms;
    this.#voice.lang = current();
    setText(this.#voice, words);
  }
}
