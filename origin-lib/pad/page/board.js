// The score as the scorer sees it, and the buttons below it. Which figures and buttons there are follows from the rules' view;
// why one can't be pressed, the rules say.

import { button, make } from "./dom.js";
import { text } from "./texts.js";

/** @typedef {import("./types.js").Action} Action */
/** @typedef {import("./types.js").RulesOf} RulesOf */
/** @typedef {import("./types.js").Side} Side */
/** @typedef {import("./types.js").State} State */
/** @typedef {import("./types.js").View} View */

/** What a button does: at once, or after a question. @typedef {{ id: string, label: string, action?: Action, ask?: () => void, kind?: string }} Press */

/** @type {Side[]} */
export const SIDES = [0, 1];

/** Points with a button of their own; any other number has the keypad. @type {Record<string, number[]>} */
const QUICK = { snooker: [1, 2, 3, 4, 5, 6, 7], "five-pins": [2, 3, 4, 6, 8, 10] };
const QUICK_ELSE = [1, 2, 3];

/** @param {number} milli */
function average(milli) {
  return (milli / 1000).toFixed(3);
}

/** @param {View} view @param {Side} side */
export function nameOf(view, side) {
  return view.start?.sides[side].name ?? String(side + 1);
}

/** @param {View} view @param {Side} side */
function panel(view, side) {
  const { state, rules, start } = view;
  if (state === null || rules === null || start === null) return make("section", { class: "side" });
  const of = state.sides[side];
  const atTable = state.at_table === side;
  const target = Array.isArray(rules.target) ? rules.target[side] : rules.target;
  /** @type {[string, string | number][]} */
  const figures = [];
  const points = rules.points;
  if (points && rules.turns !== "free") {
    figures.push([text("run"), of.run], [text("innings"), of.innings]);
    if (rules.average) figures.push([text("average"), average(of.average_milli)]);
    figures.push([text("high_run"), of.high_run]);
  }
  if (of.won !== undefined && points) figures.push([`${text(rules.unit)}`, of.won]);
  if (of.extension !== undefined) figures.push([text("phase_extension"), of.extension]);
  if (of.shootout !== null) figures.push([text("phase_shootout"), of.shootout]);
  const list = make("dl", {}, ...figures.map(([name, value]) => make("div", {}, make("dt", {}, name), make("dd", {}, String(value)))));
  const big = points ? of.points : (of.won ?? 0);
  const total = make("p", { class: "total", "data-testid": `points-${side}` }, String(big));
  const head = make(
    "h2",
    {},
    make("span", { class: `ball ${of.ball ?? ""}`, hidden: of.ball === undefined }),
    make("span", { class: "name", "data-testid": `player-${side}` }, nameOf(view, side)),
    make("span", { class: "country", hidden: start.sides[side].country === undefined }, start.sides[side].country ?? ""),
  );
  const seat = make("p", { class: "seat" }, atTable ? text("at_table") : "");
  const row = make("div", { class: "points" }, total, make("p", { class: "of" }, points && target !== null ? `/ ${target}` : ""));
  return make("section", { class: `side${atTable ? " at-table" : ""}${state.winner === side ? " winner" : ""}`, "aria-label": nameOf(view, side) }, head, seat, row, list);
}

/** What is said above the two sides. @param {View} view */
function phase(view) {
  const { state, rules } = view;
  if (state === null || rules === null) return "";
  const parts = [];
  if (state.unit !== undefined) parts.push(`${text(rules.unit)} ${state.unit}`);
  if (state.inning > 0) parts.push(text("inning", { n: state.inning }));
  if (state.phase === "finished") {
    parts.push(state.winner === null ? text("finished_draw") : text("finished", { name: nameOf(view, state.winner) }));
  } else if (state.phase !== "playing") parts.push(text(`phase_${state.phase}`));
  if (state.paused !== undefined) parts.push(text("paused"));
  if (state.break_due === true) parts.push(text("break_due"));
  return parts.join(" · ");
}

/**
 * The figure that a side plays: the one that was chosen, else the next one of the programme. Null where there are none.
 * @param {View} view @param {Side} side @param {string | null} chosen
 */
function figureOf({ start, state }, side, chosen) {
  const figures = start?.figures ?? [];
  const begun = state?.sides[side].total_innings ?? state?.sides[side].innings ?? 0;
  // The turn that is played is among them.
  const played = state?.phase === "between" ? begun : Math.max(0, begun - 1);
  return figures.find(({ code }) => code === chosen) ?? figures[played % figures.length] ?? null;
}

/**
 * The buttons that mean something now.
 * @param {View} view @param {string | null} chosen the figure that is played out of its turn
 * @param {{ points: (side: Side) => void, shootout: (side: Side) => void, foul: (side: Side) => void, figure: () => void, unit: () => void, end: () => void }} asks
 * @returns {Press[]}
 */
export function presses(view, chosen, asks) {
  const { state, rules, start } = view;
  if (state === null || rules === null || start === null) return [];
  /** @type {Press[]} */
  const list = [];
  if (state.phase === "finished") {
    return [{ id: "confirm", label: text("confirm_end"), action: { type: "end", winner: state.winner }, kind: "strong" }];
  }
  if (state.phase === "shootout") {
    for (const side of SIDES) {
      if (state.at_table !== null && state.at_table !== side) continue;
      list.push({ id: `shootout-${side}`, label: text("shootout_of", { name: nameOf(view, side) }), ask: () => asks.shootout(side), kind: "strong" });
    }
    return list;
  }
  if (state.phase === "between" && state.at_table === null) {
    return SIDES.map((side) => ({ id: `breaks-${side}`, label: `${text("breaks")}: ${nameOf(view, side)}`, action: { type: "begin_unit", breaks: side }, kind: "strong" }));
  }
  const sides = rules.turns === "free" ? SIDES : SIDES.filter((side) => side === state.at_table);
  for (const side of sides) {
    const whose = rules.turns === "free" ? `${nameOf(view, side)} ` : "";
    const tail = rules.turns === "free" ? `-${side}` : "";
    const figure = figureOf(view, side, chosen);
    if (figure !== null) {
      const { code } = figure;
      for (const points of [figure.points, 0]) {
        list.push({ id: points === 0 ? "figure-missed" : "figure-made", label: `${code}${points === 0 ? `: ${text("end_inning")}` : ` +${points}`}`, action: { type: "points", side, points, code }, kind: "strong" });
      }
      list.push({ id: "figure-other", label: text("figure_other"), ask: asks.figure });
      continue;
    }
    if (rules.points) {
      for (const points of QUICK[start.discipline] ?? QUICK_ELSE) {
        list.push({ id: `plus-${points}${tail}`, label: `${whose}+${points}`, action: { type: "points", side, points }, kind: "quick" });
      }
      list.push({ id: `number${tail}`, label: `${whose}${text("number")}`, ask: () => asks.points(side), kind: "quick" });
    }
    if (rules.turns !== "free") list.push({ id: "miss", label: text("end_inning"), action: { type: "end_inning", side }, kind: "strong" });
    if (rules.points && rules.foul === "none") {
      if (rules.turns !== "miss") list.push({ id: `foul${tail}`, label: `${whose}${text("foul")}`, action: { type: "foul", side }, kind: "" });
    } else if (rules.points) list.push({ id: `foul${tail}`, label: `${whose}${text("foul")}`, ask: () => asks.foul(side), kind: "" });
  }
  if (rules.turns === "open" && state.at_table !== null) {
    const other = state.at_table === 0 ? 1 : 0;
    list.push({ id: "turn", label: text("turn", { name: nameOf(view, other) }), action: { type: "turn", side: other } });
  }
  if (rules.unit !== "match" && !rules.points) {
    for (const side of SIDES) {
      list.push({ id: `wins-${side}`, label: text("wins", { name: nameOf(view, side), unit: text(rules.unit) }), action: { type: "end_unit", winner: side }, kind: "strong" });
    }
  } else if (rules.unit !== "match" && state.phase !== "between") list.push({ id: "unit", label: text("end_unit", { unit: text(rules.unit) }), ask: asks.unit });
  if (rules.rack_balls !== null) list.push({ id: "rerack", label: text("rerack"), action: { type: "rerack" } });
  return list;
}

/** The shot clock's and the pause's buttons. @param {View} view @returns {Press[]} */
export function clockPresses(view) {
  const { state, rules } = view;
  if (state === null || rules === null || state.phase === "finished") return [];
  /** @type {Press[]} */
  const list = [];
  if (rules.shot_clock !== null) {
    const clock = state.shot_clock;
    const started = clock !== undefined && clock.remaining_ms < rules.shot_clock.seconds * 1000;
    list.push({ id: "clock-start", label: text("clock_start"), action: { type: "shot_clock", do: "start" } });
    if (clock?.running === true) list.push({ id: "clock-stop", label: text("clock_stop"), action: { type: "shot_clock", do: "stop" } });
    else if (started) list.push({ id: "clock-resume", label: text("clock_resume"), action: { type: "shot_clock", do: "resume" } });
    const left = state.at_table === null ? 0 : (state.sides[state.at_table].extensions_left ?? 0);
    if (left > 0) list.push({ id: "clock-extend", label: `${text("clock_extend")} (${left})`, action: { type: "shot_clock", do: "extend" } });
  }
  if (state.paused !== undefined) list.push({ id: "resume", label: text("resume"), action: { type: "resume" } });
  else if (state.break_due === true) list.push({ id: "pause", label: text("pause"), action: { type: "pause" } });
  return list;
}

/** @param {Press[]} list @param {(string | null)[]} refusals @param {(press: Press, why: string | null) => void} pressed */
export function buttons(list, refusals, pressed) {
  return list.map((press, index) => {
    const why = press.action === undefined ? null : (refusals[index] ?? null);
    return button(press.label, () => pressed(press, why), {
      class: press.kind ?? "",
      "data-testid": press.id,
      "data-means": JSON.stringify(press.action ?? null),
      "aria-disabled": why !== null,
      title: why ?? "",
    });
  });
}

/** What is left of the shot clock, in whole seconds begun. @param {State | null} state @param {number} now */
export function secondsLeft(state, now) {
  const clock = state?.shot_clock;
  if (clock === undefined) return null;
  const left = clock.running && clock.deadline !== null ? Math.max(0, clock.deadline - now) : clock.remaining_ms;
  return Math.ceil(left / 1000);
}

/** The two sides. @param {View} view */
export function board(view) {
  const middle = make("p", { class: "phase", "data-testid": "phase" }, phase(view));
  return make("div", { class: "board", "data-testid": "board" }, middle, panel(view, 0), panel(view, 1));
}

/** An entry in words. @param {Action} action @param {View} view @returns {string} */
export function words(action, view) {
  /** @param {Side} side */
  const who = (side) => nameOf(view, side);
  switch (action.type) {
    case "start":
      return text("make_up");
    case "points":
      return `${who(action.side)} ${action.points < 0 ? "" : "+"}${action.points}${action.code === undefined ? "" : ` (${action.code})`}`;
    case "end_inning":
      return `${who(action.side)}: ${text("end_inning")}`;
    case "foul":
      return `${who(action.side)}: ${text("foul")}${action.points ? ` ${action.points}` : ""}`;
    case "turn":
      return text("turn", { name: who(action.side) });
    case "begin_unit":
      return `${text("breaks")}: ${who(action.breaks)}`;
    case "end_unit":
      return `${text("end_unit", { unit: text(view.rules?.unit ?? "match") })}${action.winner === undefined ? "" : `: ${who(action.winner)}`}`;
    case "rerack":
      return text("rerack");
    case "shootout":
      return `${text("shootout_of", { name: who(action.side) })} +${action.points}`;
    case "pause":
      return text("pause");
    case "resume":
      return text("resume");
    case "time_out":
      return text("time_out", { name: who(action.side), n: "" }).replace(" ()", "");
    case "shot_clock":
      return `${text("clock")}: ${text(`clock_${action.do}`)}`;
    case "end":
      return text("ended");
    case "undo":
      return text("undo");
    case "correct":
      return `${text("correct")}: ${words(action.action, view)}`;
  }
}
