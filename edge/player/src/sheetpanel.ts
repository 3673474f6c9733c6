// The score sheet under the picture: innings to go to, what is worth seeing again, and clips for others.

import { el, setText } from "./dom";
import type { Match, ScoreLog } from "./score";
import { innings, lastAt, lastScores, LEAD_IN_MS, neighbour, reel, stretch, turnAt, turnsAt, type Highlight, type Inning, type Kind, type Turn } from "./sheet";
import { current, direction, t } from "./texts";

export interface Actions {
  /** Goes to a moment on the media timeline. */
  goTo(at_ms: number): void;
  /** Plays stretches one after another. */
  play(reel: { from_ms: number; to_ms: number }[]): void;
  /** Offers a stretch to others. */
  share(stretch: { from_ms: number; to_ms: number }): void;
  /** Whether there is a recording of it. */
  canShare(): boolean;
}

/** What is shown: a match at a moment, and nothing that began after `until_ms`. */
export interface View {
  log: ScoreLog;
  at_ms: number;
  until_ms: number;
  /** The other matches that there are. */
  logs: readonly ScoreLog[];
}

const WORDS: Record<Kind, (highlight: Highlight, match: Match) => string> = {
  run: ({ points }) => t("run_of", { n: points ?? 0 }),
  lead: () => t("takes_lead"),
  level: () => t("level"),
  shootout: () => t("shootout"),
  set: (_highlight, { unit }) => t("wins_unit", { unit: t(unit) }),
  win: () => t("wins_match"),
};

function button(test: string, act: () => void): HTMLButtonElement {
  const made = el("button", { type: "button", "data-testid": test });
  made.addEventListener("click", act);
  return made;
}

export class SheetPanel {
  readonly element: HTMLElement;
  #actions: Actions;
  #view: View | null = null;
  #drawn = "";
  /** The turns that may be told. */
  #told: Turn[] = [];
  #previous = button("inning-previous", () => this.#step("previous"));
  #next = button("inning-next", () => this.#step("next"));
  #last = button("last-points", () => this.#lastPoints());
  #reel = button("highlights-play", () => this.#play());
  #matches = el("select", { "data-testid": "matches", hidden: true });
  #body = el("tbody");
  #corner = el("th", { scope: "col" });
  #scroller: HTMLElement;
  #names = [el("th", { scope: "col", colspan: "2" }), el("th", { scope: "col", colspan: "2" })] as const;
  #highlights = el("ul", { role: "list", "data-testid": "highlights" });
  #clipsTitle = el("h3");
  #clips = el("section", { class: "clips", hidden: true }, this.#clipsTitle, this.#highlights);
  #turns = new Map<HTMLElement, Turn>();
  #cut = button("clip-cut", () => this.#cutHere());
  /** Where a clip begins whose end is still to be chosen. */
  #from_ms: number | null = null;

  constructor(actions: Actions) {
    this.#actions = actions;
    const tools = el("div", { class: "innings-tools", role: "group" });
    tools.append(this.#matches, this.#previous, this.#next, this.#last, this.#reel, this.#cut);
    const head = el("tr", {}, this.#corner, ...this.#names);
    const table = el("table", { "data-testid": "innings" }, el("thead", {}, head), this.#body);
    this.#scroller = el("div", { class: "table", tabindex: "0", role: "region" }, table);
    this.element = el("section", { class: "rundown", hidden: true }, tools, this.#scroller, this.#clips);
    this.#body.addEventListener("click", ({ target }) => {
      const cell = target instanceof Element ? target.closest<HTMLElement>("button[data-seq]") : null;
      const turn = cell === null ? undefined : this.#turns.get(cell);
      if (turn !== undefined) this.#actions.goTo(turn.at_ms - LEAD_IN_MS);
    });
    this.#matches.addEventListener("change", () => {
      const log = this.#view?.logs[Number(this.#matches.value)];
      const first = log?.entries[0];
      if (first !== undefined) this.#actions.goTo(first.at_ms - LEAD_IN_MS);
    });
  }

  /** Draws the sheet of a moment; `null` takes it away. */
  draw(view: View | null): void {
    this.#view = view;
    const match = view?.log.match ?? null;
    this.element.hidden = view === null || match === null || (view.log.turns.length === 0 && view.log.highlights.length === 0);
    if (view === null || match === null || this.element.hidden) return;
    const { log } = view;
    const highlights = log.highlights.filter(({ end_ms }) => end_ms <= view.until_ms);
    const begun = view.logs.filter((log) => (log.entries[0]?.at_ms ?? Number.POSITIVE_INFINITY) <= view.until_ms);
    // What is drawn hangs on the document, and on how many of its entries may be told.
    const told = lastAt(log.entries, view.until_ms);
    const drawn = [match.match, log.version, told, highlights.length, begun.length, this.#actions.canShare(), current()].join(" ");
    if (drawn !== this.#drawn) {
      this.#drawn = drawn;
      this.#told = turnsAt(log.turns, log.entries, view.until_ms);
      this.#paint(view, this.#told, highlights, begun);
    }
    const turns = this.#told;
    this.#mark(turnAt(turns, view.at_ms));
    this.#next.disabled = neighbour(turns, view.at_ms, "next") === null;
    this.#previous.disabled = neighbour(turns, view.at_ms, "previous") === null;
    this.#last.disabled = lastScores(view.log.entries, view.at_ms, 3) === null;
    this.#reel.hidden = highlights.length === 0;
    this.#cut.hidden = !this.#actions.canShare();
    setText(this.#cut, t(this.#from_ms === null ? "clip_from" : "clip_to"));
    this.#cut.disabled = this.#from_ms !== null && view.at_ms <= this.#from_ms;
  }

  /** Marks the turn that is played, and brings it into sight within the sheet unless somebody is in there. */
  #mark(now: Turn | null): void {
    for (const [cell, turn] of this.#turns) {
      const current = turn.seq === now?.seq;
      if (current === cell.hasAttribute("aria-current")) continue;
      cell.toggleAttribute("aria-current", current);
      if (!current) continue;
      cell.setAttribute("aria-current", "true");
      const [table, row] = [cell.closest<HTMLElement>(".table"), cell.closest("tr")];
      if (table === null || row === null || table.matches(":hover, :focus-within")) continue;
      table.scrollTop = row.offsetTop - table.clientHeight / 2;
    }
  }

  /** The first time a clip begins here, the second time it ends here. */
  #cutHere(): void {
    const view = this.#view;
    if (view === null) return;
    const from_ms = this.#from_ms;
    this.#from_ms = from_ms === null ? view.at_ms : null;
    if (from_ms !== null && view.at_ms > from_ms) this.#actions.share({ from_ms, to_ms: view.at_ms });
    this.draw(view);
  }

  #paint({ log, logs }: View, turns: Turn[], highlights: Highlight[], begun: readonly ScoreLog[]): void {
    const { match } = log;
    if (match === null) return;
    const focused = document.activeElement instanceof HTMLElement ? document.activeElement.dataset["seq"] : undefined;
    const counted = turns.length > 0;
    this.element.lang = current();
    this.element.dir = direction();
    for (const part of [this.element, this.#scroller]) part.setAttribute("aria-label", t("by_innings"));
    this.#matches.setAttribute("aria-label", t("match"));
    setText(this.#corner, t("innings"));
    setText(this.#clipsTitle, t("highlights"));
    setText(this.#previous, t("previous_inning"));
    setText(this.#next, t("next_inning"));
    setText(this.#last, t("last_points"));
    setText(this.#reel, t("play_highlights"));
    this.#previous.hidden = this.#next.hidden = this.#last.hidden = !counted;
    this.#scroller.hidden = !counted;
    for (const side of [0, 1] as const) setText(this.#names[side], match.sides[side].name);
    this.#turns.clear();
    this.#body.replaceChildren(...this.#rows(match, innings(turns)));
    this.#clips.hidden = highlights.length === 0;
    this.#highlights.replaceChildren(...highlights.map((highlight) => this.#item(match, highlight)).reverse());
    this.#matches.hidden = begun.length < 2;
    const title = (one: ScoreLog) => one.match?.title || `${one.match?.sides[0].name} – ${one.match?.sides[1].name}`;
    this.#matches.replaceChildren(
      ...begun.map((one) => el("option", { value: String(logs.indexOf(one)), selected: one === log }, title(one))),
    );
    if (focused !== undefined) this.#body.querySelector<HTMLElement>(`button[data-seq="${focused}"]`)?.focus();
  }

  #rows(match: Match, rows: Inning[]): HTMLElement[] {
    let unit: number | null = null;
    let phase: Turn["phase"] = "playing";
    const made: HTMLElement[] = [];
    for (const row of rows) {
      const part = row.phase === "playing" ? "" : t(row.phase);
      const label = row.unit !== unit ? t("unit_n", { unit: t(match.unit), n: row.unit ?? "" }) : row.phase !== phase ? part : "";
      if (label !== "") made.push(el("tr", { class: "unit" }, el("th", { scope: "rowgroup", colspan: "5" }, label)));
      [unit, phase] = [row.unit, row.phase];
      const cells = row.turns.flatMap((turn) => (turn === null ? [el("td", { colspan: "2" })] : this.#cells(turn)));
      made.push(el("tr", {}, el("th", { scope: "row" }, row.inning > 0 ? String(row.inning) : ""), ...cells));
    }
    return made;
  }

  #cells(turn: Turn): HTMLElement[] {
    const label = t("turn", { i: turn.inning, n: turn.points, t: turn.total });
    const go = el("button", { type: "button", "data-seq": String(turn.seq), "aria-label": label }, String(turn.points));
    this.#turns.set(go, turn);
    return [el("td", {}, go), el("td", { class: "total" }, String(turn.total))];
  }

  #item(match: Match, highlight: Highlight): HTMLElement {
    const who = highlight.side === null ? "" : ` · ${match.sides[highlight.side].name}`;
    const go = el("button", { type: "button", class: "highlight", "data-kind": highlight.kind }, `${WORDS[highlight.kind](highlight, match)}${who}`);
    go.addEventListener("click", () => this.#actions.goTo(stretch(highlight).from_ms));
    const share = el("button", { type: "button", class: "share", "data-testid": "share", hidden: !this.#actions.canShare() }, t("share_clip"));
    share.addEventListener("click", () => this.#actions.share(stretch(highlight)));
    return el("li", {}, go, share);
  }

  #step(way: "next" | "previous"): void {
    const view = this.#view;
    if (view === null) return;
    const turns = this.#told;
    // The picture is a lead-in before the inning that it was sent to.
    const turn = neighbour(turns, way === "next" ? view.at_ms + LEAD_IN_MS : view.at_ms, way);
    if (turn !== null) this.#actions.goTo(turn.at_ms - LEAD_IN_MS);
  }

  #lastPoints(): void {
    const view = this.#view;
    const from_ms = view === null ? null : lastScores(view.log.entries, view.at_ms, 3);
    if (from_ms !== null) this.#actions.goTo(from_ms);
  }

  #play(): void {
    const view = this.#view;
    if (view === null) return;
    const highlights = view.log.highlights.filter(({ end_ms }) => end_ms <= view.until_ms);
    if (highlights.length > 0) this.#actions.play(reel(highlights));
  }
}
