// The set-up of a match. What a discipline begins with comes from the rules.

import { ask } from "./dialogs.js";
import { make } from "./dom.js";
import { text } from "./texts.js";

/** @typedef {import("./types.js").Discipline} Discipline */
/** @typedef {import("./types.js").Start} Start */

/** What disciplines are called; one that is not here, by its id. @type {Record<string, string>} */
const NAMES = {
  "three-cushion": "Three-cushion",
  "three-cushion-sets": "Three-cushion, sets",
  "straight-rail": "Straight rail (libre)",
  balkline: "Balkline (cadre)",
  "one-cushion": "One-cushion",
  artistique: "Artistique",
  "five-pins": "Five-pins",
  "straight-pool": "Pool 14.1",
  "eight-ball": "8-ball",
  "nine-ball": "9-ball",
  "ten-ball": "10-ball",
  snooker: "Snooker",
  points: "Points, two sides",
};

/** @param {string} label @param {HTMLElement} input */
function labelled(label, input) {
  return make("label", { class: "field" }, make("span", {}, label), input);
}

/** A number in a field, or undefined where it is empty; what is none is -1, which the rules refuse. @param {HTMLInputElement} input */
function whole(input) {
  const digits = input.value.trim();
  if (digits === "") return undefined;
  return /^\d+$/.test(digits) ? Number(digits) : -1;
}

/** @param {{ best_of: number } | { race_to: number | [number, number] }} length */
function units(length) {
  return "best_of" in length ? length.best_of : length.race_to;
}

/**
 * Asks for a match. `check` says why it can't be played, or null.
 * @param {Discipline[]} disciplines @param {Omit<Start, "type"> | null} before @param {(start: Start) => string | null} check
 * @param {string} title
 * @returns {Promise<Start | null>}
 */
export function setUp(disciplines, before, check, title) {
  /** @param {string} id @param {Record<string, any>} [more] */
  const field = (id, more = {}) => make("input", { "data-testid": id, autocomplete: "off", maxLength: 100, ...more });
  /** @param {string} id @param {number} max */
  const count = (id, max) => field(id, { type: "text", inputMode: "numeric", pattern: "[0-9]*", maxLength: String(max).length });
  const names = [0, 1].map((n) => field(`name-${n}`, { value: before?.sides[n]?.name ?? "" }));
  const countries = [0, 1].map((n) => field(`country-${n}`, { value: before?.sides[n]?.country ?? "", maxLength: 2, class: "upper", autocapitalize: "characters" }));
  const heading = field("match-title", { value: before?.title ?? "" });
  const discipline = make("select", { "data-testid": "discipline" }, ...disciplines.map(({ id }) => make("option", { value: id }, NAMES[id] ?? id)));
  discipline.value = before?.discipline ?? disciplines[0]?.id ?? "";
  const target = count("target", 1000);
  const length = count("length", 99);
  const seconds = count("shot-clock", 600);
  const extensions = count("extensions", 100);
  const equalising = make("input", { type: "checkbox", "data-testid": "equalising" });
  const breaks = make("select", { "data-testid": "breaks" }, ...["1", "2"].map((n) => make("option", { value: String(Number(n) - 1) }, n)));
  breaks.value = String(before?.breaks ?? 0);
  const wrong = make("p", { class: "wrong", role: "alert", "data-testid": "wrong" });
  const lengthLabel = make("span");
  const lengthField = make("label", { class: "field" }, lengthLabel, length);

  const rules = () => disciplines.find(({ id }) => id === discipline.value)?.rules;
  const fill = () => {
    const of = rules();
    if (of === undefined) return;
    const own = before?.discipline === discipline.value ? before : null;
    target.value = String(own?.target ?? of.target ?? "");
    const long = own?.rules?.length ?? of.length;
    length.value = String(units(long));
    lengthLabel.textContent = `${text("best_of" in long ? "best_of" : "race_to")} (${text(of.unit)})`;
    lengthField.hidden = of.unit === "match";
    equalising.checked = own?.equalising_inning ?? of.equalising_inning;
    const clock = own?.rules?.shot_clock ?? of.shot_clock;
    seconds.value = String(clock?.seconds ?? "");
    extensions.value = String(clock?.extensions ?? "");
  };
  discipline.onchange = fill;
  fill();

  const given = () => {
    const of = rules();
    if (of === undefined) return null;
    /** @param {number} n */
    const player = (n) => {
      const country = countries[n]?.value.trim().toUpperCase() ?? "";
      return { name: names[n]?.value.trim() ?? "", ...(country === "" ? {} : { country }) };
    };
    /** @type {Start} */
    const start = {
      // What the form does not ask stays as it was.
      ...(before?.discipline === discipline.value ? before : {}),
      type: "start",
      title: heading.value.trim() || `${player(0).name} – ${player(1).name}`,
      discipline: discipline.value,
      sides: [player(0), player(1)],
      breaks: breaks.value === "1" ? 1 : 0,
      equalising_inning: equalising.checked,
    };
    delete start.target;
    const points = whole(target);
    const kept = before?.discipline === discipline.value ? before.target : undefined;
    if (kept !== undefined && target.value === String(kept)) start.target = kept;
    else if (points !== undefined && target.value !== String(of.target ?? "")) start.target = points;
    const own = { ...start.rules };
    const many = whole(length);
    if (of.unit !== "match" && many !== undefined && many !== units(of.length)) {
      own.length = "best_of" in of.length ? { best_of: many } : { race_to: many };
    }
    const limit = whole(seconds);
    if (limit !== undefined) {
      own.shot_clock = { seconds: limit, extensions: whole(extensions) ?? 0, extension_seconds: limit, per: of.unit === "match" ? "match" : "unit" };
    } else delete own.shot_clock;
    if (Object.keys(own).length > 0) start.rules = own;
    else delete start.rules;
    const why = check(start);
    wrong.textContent = why ?? "";
    return why === null ? start : null;
  };
  const fields = make(
    "div",
    { class: "fields" },
    labelled(text("discipline"), discipline),
    labelled(text("target"), target),
    lengthField,
    labelled(text("breaks"), breaks),
    labelled(text("shot_clock"), seconds),
    labelled(text("extensions"), extensions),
    labelled(text("match_title"), heading),
    labelled(text("equalising"), equalising),
  );
  const players = names.map((name, n) =>
    make("div", { class: "player" }, labelled(text("name", { n: n + 1 }), name), labelled(text("country"), /** @type {HTMLElement} */ (countries[n]))),
  );
  return ask(title, [make("div", { class: "players" }, ...players), fields, wrong], given, { accept: before === null ? text("make_up") : text("accept"), wide: true });
}
