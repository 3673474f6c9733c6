// The scorer's pad of one channel: /score/{channel}#key={the channel's score key}.

import { board, buttons, clockPresses, nameOf, presses, secondsLeft, SIDES, words } from "./board.js";
import { choose, isOpen, number, secret, sure } from "./dialogs.js";
import { button, byId, make, replace } from "./dom.js";
import { Keeper } from "./keeper.js";
import { Origin } from "./origin.js";
import { Refused, Rules } from "./rules.js";
import { Scorer } from "./scorer.js";
import { setUp } from "./setup.js";
import { Store } from "./store.js";
import { again } from "./terms.js";
import { LANGUAGE, text } from "./texts.js";

/** @typedef {import("./types.js").Action} Action */
/** @typedef {import("./types.js").Entry} Entry */
/** @typedef {import("./types.js").Kept} Kept */
/** @typedef {import("./types.js").Side} Side */

/** How long a word about what was refused stays, in milliseconds. */
const TOAST_MS = 6_000;

/** How often the shot clock is drawn, in milliseconds. */
const DRAW_MS = 200;

/** What a scorer is called. */
const SCORER = /^[!-~]{1,32}$/;

const channel = decodeURIComponent(location.pathname.split("/").at(-1) ?? "");

/** The key in the address, and the scorer's name where it has one. A `+` is one, and no space. */
function keyGiven() {
  const given = new URLSearchParams(location.hash.slice(1).replaceAll("+", "%2B"));
  const [key, scorer] = [given.get("key"), given.get("scorer")];
  // What the origin would refuse is nobody's name.
  return { key, ...(scorer !== null && SCORER.test(scorer) ? { scorer } : {}) };
}

/** Takes them out of it, once they are kept. */
function hideKey() {
  if (location.hash !== "") history.replaceState(null, "", location.pathname);
}

class Page {
  /** @type {Scorer} */
  #scorer;
  #rules;
  #toast = 0;
  #said = "";
  /** The figure of artistique that is played in the place of the next one of the programme. @type {string | null} */
  #figure = null;

  /** @param {Rules} rules @param {{ store: Store, keeper: Keeper }} disk @param {Kept} kept @param {Origin} origin */
  constructor(rules, disk, kept, origin) {
    this.#rules = rules;
    this.#scorer = new Scorer({ rules, origin, ...disk, kept, changed: () => this.#draw() });
    addEventListener("beforeunload", (event) => {
      if (this.#scorer.unkept !== null && this.#scorer.pending > 0) event.preventDefault();
    });
    byId("menu").onclick = () => void this.#menu();
    document.addEventListener("keydown", (event) => this.#typed(event));
    setInterval(() => this.#tick(), DRAW_MS);
  }

  /** @param {Parameters<Scorer["begin"]>[0]} rows */
  begin(rows) {
    this.#scorer.begin(rows);
  }

  /** @param {string | null} why */
  #tell(why) {
    const toast = byId("toast");
    toast.hidden = why === null || why === "";
    toast.textContent = why ?? "";
    clearTimeout(this.#toast);
    this.#toast = setTimeout(() => (toast.hidden = true), TOAST_MS);
  }

  /** @param {Action} action */
  async #enter(action) {
    this.#figure = null;
    this.#tell(await this.#scorer.enter(action));
  }

  /** @param {string} key @param {string} [scorer] */
  useKey(key, scorer) {
    return this.#scorer.useKey(key, scorer);
  }

  // What is shown

  #draw() {
    const scorer = this.#scorer;
    const { view } = scorer;
    byId("title").textContent = view.start?.title ?? text("no_match");
    const link = byId("link");
    const waits = scorer.pending > 0;
    if (scorer.reachable === false) link.textContent = waits ? text("waiting_away", { n: scorer.pending }) : text("away");
    else if (waits) link.textContent = text("waiting", { n: scorer.pending });
    else link.textContent = scorer.reachable === null ? text("connecting") : scorer.mode === "scoring" ? text("no_waiting") : "";
    link.className = scorer.reachable === false ? "away" : waits ? "waits" : "well";
    link.dataset["pending"] = String(scorer.pending);
    this.#drawProblem();
    const main = byId("main");
    if (view.start === null) {
      replace(main, [make("div", { class: "empty" }, make("p", {}, text("no_match")), button(text("new_match"), () => void this.#newMatch(), { class: "strong", "data-testid": "new-match" }))]);
      return;
    }
    const scoring = scorer.mode === "scoring" && scorer.problem?.kind !== "tab";
    main.dataset["mode"] = scorer.mode;
    replace(main, [board(view), ...(scoring ? this.#controls() : [])]);
    this.#tick();
    const { state } = view;
    const said = state === null ? "" : text("said", { a: nameOf(view, 0), m: state.sides[0].points, b: nameOf(view, 1), n: state.sides[1].points });
    if (said !== this.#said) byId("said").textContent = this.#said = said;
  }

  #controls() {
    const scorer = this.#scorer;
    const { view } = scorer;
    const main = presses(view, this.#figure, {
      points: (side) => void this.#points(side),
      shootout: (side) => void this.#shootout(side),
      foul: (side) => void this.#foul(side),
      figure: () => void this.#otherFigure(),
      unit: () => void this.#endUnit(),
      end: () => void this.#end(),
    });
    const clock = clockPresses(view);
    const asked = [...main, ...clock].map(({ action }) => action ?? { type: /** @type {const} */ ("resume") });
    const refusals = scorer.refusals(asked);
    /** @param {import("./board.js").Press} press @param {string | null} why */
    const pressed = (press, why) => {
      if (why !== null) this.#tell(why);
      else if (press.ask !== undefined) press.ask();
      else if (press.action !== undefined) void this.#enter(press.action);
    };
    const undo = button(text("undo"), () => void this.#undo(), {
      class: "undo",
      "data-testid": "undo",
      "aria-disabled": view.undo === null,
      "aria-label": view.undo === null ? text("undo") : text("undo_what", { what: words(view.undo.action, view) }),
      "aria-keyshortcuts": "U",
    });
    const undoWhat = make("span", { class: "what" }, view.undo === null ? "" : words(view.undo.action, view));
    undo.append(undoWhat);
    const clockRow = make("div", { class: "clock", "data-testid": "clock-presses" }, ...buttons(clock, refusals.slice(main.length), pressed));
    if (view.rules?.shot_clock !== null) clockRow.prepend(make("output", { id: "clock", "data-testid": "clock", "aria-label": text("clock") }));
    const whose = view.state?.at_table ?? null;
    const sides = view.rules?.turns === "free" || whose === null ? "both" : `of-${whose}`;
    const shown = buttons(main, refusals.slice(0, main.length), pressed);
    if (view.state?.phase === "finished") shown.push(button(text("new_match"), () => void this.#newMatch(), { class: "strong", "data-testid": "new-match" }));
    return [...(clock.length > 0 ? [clockRow] : []), make("div", { class: `presses ${sides}`, "data-testid": "presses" }, ...shown, undo)];
  }

  #drawProblem() {
    const scorer = this.#scorer;
    const { problem } = scorer;
    const box = byId("problem");
    /** @type {HTMLButtonElement[]} */
    const acts = [];
    let said = "";
    const take = () => void this.#takeOver();
    if (problem?.kind === "taken") {
      const n = scorer.held;
      said = n > 0 ? text("taken_with", { n }) : text("taken");
      acts.push(button(n > 0 ? text("again_with", { n }) : text("again"), take, { class: "strong", "data-testid": "take-over" }));
      acts.push(button(n > 0 ? text("watch_drop", { n }) : text("watch"), () => void scorer.watch(), { "data-testid": "watch" }));
    } else if (problem?.kind === "invalid") {
      const what = problem.item === undefined ? "" : words(problem.item.event.action, scorer.about(problem.item.match));
      said = text("refused", { why: `${what}: ${problem.text}` });
      acts.push(button(text("drop"), () => void scorer.drop((lost) => this.#confirmLost(lost)), { class: "strong", "data-testid": "drop" }));
    } else if (problem?.kind === "key") {
      said = text("key_needed");
      acts.push(button(text("key"), () => void this.#key(), { class: "strong", "data-testid": "give-key" }));
    } else if (problem?.kind === "tab") said = text("tab");
    else if (problem?.kind === "broken") said = text("broken", { why: problem.text });
    else if (scorer.mode === "scoring" && scorer.unkept !== null) said = text("unkept", { why: scorer.unkept });
    else if (scorer.mode === "watching" && scorer.view.start !== null) {
      said = text(scorer.view.state?.phase === "finished" ? "ended" : "watching");
      acts.push(button(text("take_over"), take, { class: "strong", "data-testid": "take-over" }));
      acts.push(button(text("new_match"), () => void this.#newMatch(), { "data-testid": "new-match" }));
    }
    box.hidden = said === "";
    box.className = problem === null ? "calm" : "";
    byId("problem-text").textContent = said;
    replace(byId("problem-acts"), acts);
  }

  #tick() {
    const clock = document.getElementById("clock");
    const seconds = secondsLeft(this.#scorer.view.state, this.#scorer.now());
    if (clock === null || seconds === null) return;
    if (clock.textContent !== String(seconds)) clock.textContent = String(seconds);
    clock.className = this.#scorer.view.state?.shot_clock?.running === true ? (seconds <= 10 ? "runs short" : "runs") : "";
  }

  // What the scorer does

  /** @param {KeyboardEvent} event */
  #typed(event) {
    if (event.repeat) {
      // A key that is held is pressed once, also on a button.
      if (event.key === "Enter" && event.target instanceof HTMLButtonElement) event.preventDefault();
      return;
    }
    if (isOpen() || event.ctrlKey || event.metaKey || event.altKey || this.#scorer.mode !== "scoring") return;
    const { state, rules } = this.#scorer.view;
    if (state === null) return;
    const key = event.key.toLowerCase();
    /** @param {string} id */
    const press = (id) => {
      const found = document.querySelector(`[data-testid="${id}"]`);
      if (found instanceof HTMLButtonElement) found.click();
    };
    if (/^[0-9]$/.test(key)) {
      if (state.phase === "shootout") void this.#shootout(state.at_table ?? 0, key);
      else if (state.at_table !== null && rules?.points === true) void this.#points(state.at_table, key);
      else return;
    } else if (key === "u") void this.#undo();
    else if (key === "m") press("miss");
    else if (key === "c") press(state.shot_clock?.running === true ? "clock-stop" : "clock-start");
    else return;
    event.preventDefault();
  }

  async #undo() {
    this.#tell(await this.#scorer.undo());
  }

  /** @param {Side} side @param {string} [first] */
  async #points(side, first = "") {
    const points = await number(text("points_of", { name: nameOf(this.#scorer.view, side) }), { first, signed: true });
    if (points !== null && points !== 0) await this.#enter({ type: "points", side, points });
  }

  /** @param {Side} side @param {string} [first] */
  async #shootout(side, first = "") {
    const points = await number(text("shootout_of", { name: nameOf(this.#scorer.view, side) }), { first });
    if (points !== null) await this.#enter({ type: "shootout", side, points });
  }

  /** @param {Side} side */
  async #foul(side) {
    const points = await number(text("foul_points"));
    if (points !== null) await this.#enter({ type: "foul", side, points });
  }

  async #otherFigure() {
    const figures = this.#scorer.view.start?.figures ?? [];
    const code = await choose(text("figure_other"), figures.map(({ code, points }) => [`${code} · ${points}`, code, `figure-${code}`]));
    if (code === null) return;
    this.#figure = code;
    this.#draw();
  }

  async #endUnit() {
    const { view } = this.#scorer;
    const unit = text(view.rules?.unit ?? "match");
    /** @type {[string, { winner?: Side }, string][]} */
    const choices = SIDES.map((side) => [nameOf(view, side), { winner: side }, `unit-${side}`]);
    if (view.rules?.points === true) choices.unshift([text("by_points"), {}, "unit-by-points"]);
    const chosen = await choose(text("whose_rack", { unit }), choices);
    if (chosen !== null) await this.#enter({ type: "end_unit", ...chosen });
  }

  async #end() {
    const { view } = this.#scorer;
    /** @type {[string, { winner: Side | null }, string][]} */
    const choices = SIDES.map((side) => [nameOf(view, side), { winner: side }, `end-${side}`]);
    const chosen = await choose(text("winner"), [...choices, [text("draw"), { winner: null }, "end-draw"]]);
    if (chosen !== null) await this.#enter({ type: "end", winner: chosen.winner });
  }

  async #menu() {
    const scorer = this.#scorer;
    const { view } = scorer;
    /** @type {[string, () => unknown, string][]} */
    const choices = [];
    const scoring = scorer.mode === "scoring" && view.state !== null;
    if (scoring) {
      choices.push([text("history"), () => this.#history(), "history"]);
      const start = view.history.find(({ action, stands }) => stands && action.type === "start");
      if (start !== undefined) choices.push([text("edit_start"), () => this.#editStart(start), "edit-start"]);
      if (view.state?.phase !== "finished") {
        if (view.state?.paused === undefined) choices.push([text("pause"), () => this.#enter({ type: "pause" }), "menu-pause"]);
        for (const side of SIDES) {
          const left = view.state?.sides[side].time_outs_left;
          if (left !== undefined) choices.push([text("time_out", { name: nameOf(view, side), n: left }), () => this.#enter({ type: "time_out", side }), `time-out-${side}`]);
        }
        choices.push([text("end_match"), () => this.#end(), "end-match"]);
      }
    }
    choices.push([text("new_match"), () => this.#newMatch(), "menu-new-match"]);
    choices.push([text("key"), () => this.#key(), "menu-key"]);
    const act = await choose(text("menu"), choices);
    if (act !== null) act();
  }

  async #history() {
    const { view } = this.#scorer;
    const numbers = new Set(["points", "foul", "shootout"]);
    const choices = view.history
      .filter(({ action }) => action.type !== "undo")
      .map((entry) => {
        const label = `${words(entry.action, view)}${entry.stands ? "" : ` (${text("undone")})`}`;
        const fixed = !entry.correctable || !numbers.has(entry.action.type);
        return /** @type {[string, Entry, string, boolean]} */ ([label, entry, `entry-${entry.epoch}-${entry.seq}`, fixed]);
      });
    const entry = await choose(text("history"), choices);
    if (entry === null) return;
    const points = await number(`${text("should_be")}: ${words(entry.action, view)}`, { signed: entry.action.type === "points" });
    if (points === null) return;
    const action = /** @type {Action} */ ({ ...entry.action, points });
    await this.#enter({ type: "correct", epoch: entry.epoch, seq: entry.seq, action });
  }

  /** @param {Entry} entry */
  async #editStart(entry) {
    const scorer = this.#scorer;
    const correction = (/** @type {Action} */ action) => /** @type {Action} */ ({ type: "correct", epoch: entry.epoch, seq: entry.seq, action });
    const check = (/** @type {Action} */ start) => scorer.refusals([correction(start)])[0] ?? null;
    const start = await setUp(this.#rules.disciplines(), { corrected: scorer.view.start }, check, text("edit_start"));
    if (start !== null) await this.#enter(correction(start));
  }

  async #newMatch() {
    const scorer = this.#scorer;
    const { state } = scorer.view;
    const running = state !== null && state.phase !== "finished";
    const unsent = scorer.mode === "lost" ? scorer.held : 0;
    if (unsent > 0 && !(await sure(text("taken_with", { n: unsent }), text("watch_drop", { n: unsent })))) return;
    if (running && !(await sure(text("new_match_sure"), text("new_match")))) return;
    const fresh = await this.#rules.another();
    const check = (/** @type {Action} */ start) => fresh.refusals(1, scorer.now(), [start])[0] ?? null;
    const start = await setUp(this.#rules.disciplines(), { like: again(scorer.view.start) }, check, text("new_match"));
    if (start !== null) this.#tell(await scorer.newMatch(start));
  }

  async #takeOver() {
    if (this.#scorer.mode === "watching" && !(await sure(text("take_over_sure"), text("take_over")))) return;
    this.#tell(await this.#scorer.takeOver((lost) => this.#confirmLost(lost)));
  }

  /** @param {import("./types.js").Lost[]} lost */
  #confirmLost(lost) {
    const line = (/** @type {import("./types.js").Lost} */ { match, event, why }) => `${words(event.action, this.#scorer.about(match))}: ${why}`;
    return sure(text("lost_entries"), text("accept"), lost.map(line));
  }

  async #key() {
    const key = await secret(text("key"));
    if (key !== null) await this.#scorer.useKey(key);
  }
}

/** A tablet at the table stays lit, where the browser lets it. */
function stayLit() {
  const ask = () => void navigator.wakeLock?.request("screen").catch(() => {});
  document.addEventListener("visibilitychange", () => (document.visibilityState === "visible" ? ask() : undefined));
  ask();
}

async function main() {
  document.documentElement.lang = LANGUAGE;
  for (const element of document.querySelectorAll("[data-text]")) {
    if (element instanceof HTMLElement) element.textContent = text(/** @type {import("./texts.js").Name} */ (element.dataset["text"]));
  }
  const given = keyGiven();
  if ("serviceWorker" in navigator) navigator.serviceWorker.register("/score/worker.js").catch(() => {});
  void navigator.storage?.persist?.();
  stayLit();
  const [rules, store] = await Promise.all([Rules.load(), Store.open(channel)]);
  const keeper = new Keeper();
  const { kept: before, rows } = await store.read();
  /** @type {Kept} */
  const kept = before ?? { revision: 0, key: "", offset: null, match: null, epoch: 0, mode: "watching" };
  if (given.key !== null) {
    Object.assign(kept, given);
    const note = () => store.note(kept);
    await keeper.keep(note, note);
  }
  // Where it is not kept, the address has to do when the page is loaded again.
  if (keeper.refusal === null) hideKey();
  const page = new Page(rules, { store, keeper }, kept, new Origin(channel, kept.key));
  // The address that this page has already, given again with another key.
  addEventListener("hashchange", () => {
    const { key, scorer } = keyGiven();
    hideKey();
    if (key !== null) void page.useKey(key, scorer);
  });
  page.begin(rows);
}

main().catch((error) => {
  const problem = byId("problem");
  problem.hidden = false;
  byId("problem-text").textContent = error instanceof Refused ? error.message : text("broken", { why: String(error) });
});
