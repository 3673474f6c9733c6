// Draws a score: the board over the picture, the sheet under it, and what a screen reader hears.

import { el, setText } from "./dom";
import { average, spoken, type Match, type ScoreState, type SideState } from "./score";

/** The least time between two announcements, in milliseconds. */
const ANNOUNCE_MS = 10_000;

interface Row {
  row: HTMLElement;
  name: HTMLElement;
  country: HTMLElement;
  run: HTMLElement;
  points: HTMLElement;
  shootout: HTMLElement;
}

type Figure = "points" | "innings" | "average" | "high_run" | "run";

const FIGURES: readonly [Figure, string][] = [
  ["points", "Points"],
  ["innings", "Innings"],
  ["average", "Average"],
  ["high_run", "High run"],
  ["run", "Run"],
];

const figure = (side: SideState, what: Figure): string =>
  what === "average" ? average(side.average_milli) : String(side[what]);

function boardRow(side: number): Row {
  const name = el("span", { class: "name", "data-testid": `score-name-${side}` });
  const country = el("span", { class: "country" });
  const run = el("span", { class: "run", "data-testid": `score-run-${side}` });
  const points = el("span", { class: "points", "data-testid": `score-points-${side}` });
  const shootout = el("span", { class: "shootout", "data-testid": `score-shootout-${side}` });
  const row = el("div", { class: "side" }, el("span", { class: "cue" }), name, country, run, points, shootout);
  return { row, name, country, run, points, shootout };
}

function sheetRow(): { row: HTMLElement; name: HTMLElement; cells: Record<Figure, HTMLElement> } {
  const name = el("th", { scope: "row" });
  const cells = {} as Record<Figure, HTMLElement>;
  for (const [what] of FIGURES) cells[what] = el("td");
  return { row: el("tr", {}, name, ...FIGURES.map(([what]) => cells[what])), name, cells };
}

const DISCIPLINES: Record<string, string> = { "three-cushion": "Three-cushion" };

export class Scoreboard {
  /** Goes over the picture. */
  readonly board: HTMLElement;
  /** Goes under the picture. */
  readonly sheet: HTMLElement;
  #rows = [boardRow(0), boardRow(1)] as const;
  #lines = [sheetRow(), sheetRow()] as const;
  #inning = el("span", { "data-testid": "score-inning" });
  #to = el("span", { class: "to" });
  #heading = el("h2", { "data-testid": "match-title" });
  #about = el("p", { class: "about" });
  #voice = el("p", { class: "unseen", "aria-live": "polite", "aria-atomic": "true" });
  #said = "";
  #said_ms = Number.NEGATIVE_INFINITY;
  #drawn: ScoreState | null = null;
  #match: Match | null = null;

  constructor() {
    // The sheet and the voice say the same: the board is for eyes only.
    this.board = el(
      "div",
      { class: "board", "data-testid": "score", "aria-hidden": "true", hidden: true },
      ...this.#rows.map(({ row }) => row),
      el("div", { class: "foot" }, this.#inning, this.#to),
    );
    const head = el("tr", {}, el("td"), ...FIGURES.map(([, label]) => el("th", { scope: "col" }, label)));
    const table = el(
      "table",
      { "data-testid": "score-sheet" },
      el("thead", {}, head),
      el("tbody", {}, ...this.#lines.map(({ row }) => row)),
    );
    const scroller = el("div", { class: "table" }, table);
    this.sheet = el(
      "section",
      { class: "sheet", "aria-label": "Score", hidden: true },
      this.#heading,
      this.#about,
      scroller,
      this.#voice,
    );
  }

  /** Draws the score of a moment; `null` takes the board away. */
  draw(match: Match | null, state: ScoreState | null, now_ms: number): void {
    if (match !== this.#match || state !== this.#drawn) {
      this.#match = match;
      this.#drawn = state;
      this.board.hidden = this.sheet.hidden = match === null || state === null;
      if (match !== null && state !== null) this.#paint(match, state);
    }
    if (match !== null && state !== null) this.#announce(match, state, now_ms);
  }

  #paint(match: Match, state: ScoreState): void {
    const finished = state.phase === "finished";
    for (const index of [0, 1] as const) {
      const [row, line, side, who] = [this.#rows[index], this.#lines[index], state.sides[index], match.sides[index]];
      const turn = !finished && state.at_table === index;
      row.row.classList.toggle("turn", turn);
      row.row.classList.toggle("won", finished && state.winner === index);
      line.row.classList.toggle("turn", turn);
      line.row.classList.toggle("won", finished && state.winner === index);
      setText(row.name, who.name);
      setText(row.country, who.country);
      setText(row.run, turn && side.run > 0 && state.phase === "playing" ? `+${side.run}` : "");
      setText(row.points, String(side.points));
      setText(row.shootout, side.shootout === null ? "" : String(side.shootout));
      setText(line.name, finished && state.winner === index ? `${who.name} (won)` : who.name);
      for (const [what] of FIGURES) setText(line.cells[what], figure(side, what));
    }
    const inning = state.inning > 0 ? `Inning ${state.inning}` : "";
    setText(this.#inning, finished ? "Final score" : state.phase === "shootout" ? "Shootout" : inning);
    setText(this.#to, match.target === null ? "" : `to ${match.target}`);
    setText(this.#heading, match.title === "" ? `${match.sides[0].name} – ${match.sides[1].name}` : match.title);
    const discipline = DISCIPLINES[match.discipline] ?? match.discipline;
    const parts = [discipline, match.target === null ? "" : `to ${match.target} points`, inning];
    setText(this.#about, parts.filter((part) => part !== "").join(" · "));
  }

  #announce(match: Match, state: ScoreState, now_ms: number): void {
    if (now_ms - this.#said_ms < ANNOUNCE_MS) return;
    const words = spoken(match, state);
    if (words === this.#said) return;
    this.#said = words;
    this.#said_ms = now_ms;
    setText(this.#voice, words);
  }
}
