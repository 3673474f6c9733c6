// The set-up of a match. What a discipline begins with comes from the rules; what is seldom another lies behind "more rules".

import { ask } from "./dialogs.js";
import { make } from "./dom.js";
import { agreed, asked, choices, isNone, terms, VARIANTS } from "./terms.js";
import { text } from "./texts.js";

/** @typedef {import("./terms.js").Term} Term */
/** @typedef {import("./terms.js").Terms} Terms */
/** @typedef {import("./texts.js").Name} Name */
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

/** The fields in the order of the form, and what stands before each. @type {[Term, Name][]} */
const LABELS = [
  ["target", "target"],
  ["length", "best_of"],
  ["breaks", "breaks"],
  ["variant", "variant"],
  ["shot-clock", "shot_clock"],
  ["equalising", "equalising"],
  ["figures", "figures"],
  ["target-0", "target_of"],
  ["target-1", "target_of"],
  ["length-0", "length_of"],
  ["length-1", "length_of"],
  ["head-start-0", "head_start_of"],
  ["head-start-1", "head_start_of"],
  ["extensions", "extensions"],
  ["extension-seconds", "extension_seconds"],
  ["time-outs", "time_outs"],
  ["time-out-seconds", "time_out_seconds"],
  ["white", "white"],
  ["swap", "swap"],
  ["break-at-half", "break_at_half"],
  ["tie", "tie"],
  ["extension-innings", "extension_innings"],
  ["unit", "played_in"],
  ["kind", "played_as"],
  ["last-target", "last_target"],
  ["begins", "begins_next"],
  ["level", "level"],
  ["innings-max", "innings_max"],
];

/** The fields that are seen at once; the others are behind "more rules". @type {Set<Term>} */
const FIRST = new Set(["target", "length", "breaks", "variant", "shot-clock", "equalising", "figures"]);

/** The longest title, in characters. */
const TITLE_LEN_MAX = 100;

/** What a choice is called. @param {Term} term @param {string} choice */
function called(term, choice) {
  if (term === "breaks") return String(Number(choice) + 1);
  if (term === "white") return choice === "" ? text("white_none") : String(Number(choice) + 1);
  if (term === "unit" || term === "kind") return text(/** @type {Name} */ (choice));
  return text(/** @type {Name} */ (`${term}_${choice}`));
}

/** @param {string} label @param {HTMLElement} input */
function labelled(label, input) {
  return make("label", { class: "field" }, make("span", {}, label), input);
}

/** The form's fields below names and discipline. */
class Form {
  /** @type {Map<Term, { input: HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement, field: HTMLElement, label: HTMLElement }>} */
  #fields = new Map();
  /** @type {Discipline} */
  #discipline;
  #first = make("div", { class: "fields" });
  #more = make("div", { class: "fields" });
  #folded = make("details", { class: "more" }, make("summary", { "data-testid": "more" }, text("more_rules")), this.#more);

  /** @param {Discipline} discipline @param {Partial<Start> | null} like */
  constructor(discipline, like) {
    this.#discipline = discipline;
    this.fill(discipline, like);
  }

  get nodes() {
    return [this.#first, this.#folded];
  }

  /** Begins anew, with a match like this one. @param {Discipline} discipline @param {Partial<Start> | null} like */
  fill(discipline, like) {
    this.#discipline = discipline;
    const values = terms(discipline.rules, like);
    const plain = terms(discipline.rules, null);
    this.#fields = new Map(LABELS.map(([term, label]) => [term, this.#field(term, label, values[term])]));
    const rest = [...this.#fields].filter(([term]) => !FIRST.has(term));
    this.#first.replaceChildren(...[...this.#fields].filter(([term]) => FIRST.has(term)).map(([, { field }]) => field));
    this.#more.replaceChildren(...rest.map(([, { field }]) => field));
    // What is not as always is seen.
    this.#folded.open = rest.some(([term]) => values[term] !== plain[term]);
    this.#show();
  }

  /** @param {Term} term @param {Name} name @param {string | boolean} value */
  #field(term, name, value) {
    const label = make("span", {}, text(name, { n: Number(term.at(-1)) + 1 }));
    const of = choices(this.#discipline.rules, term);
    const onchange = () => this.#show();
    const plain = { "data-testid": term, autocomplete: "off", oninput: onchange, onchange };
    /** @type {HTMLInputElement | HTMLSelectElement | HTMLTextAreaElement} */
    let input;
    if (typeof value === "boolean") input = make("input", { ...plain, type: "checkbox", checked: value });
    else if (of.length > 0) {
      input = make("select", plain, ...of.map((choice) => make("option", { value: choice }, called(term, choice))));
      input.value = value;
    } else if (term === "figures") input = make("textarea", { ...plain, rows: 4, value, placeholder: "A01 4\nB07 8" });
    else if (term === "variant") {
      const list = make("datalist", { id: "variants" }, ...VARIANTS.map((variant) => make("option", { value: variant })));
      label.append(list);
      input = make("input", { ...plain, maxLength: 100, value });
      input.setAttribute("list", "variants");
    } else input = make("input", { ...plain, type: "text", inputMode: "numeric", pattern: "[0-9]*", maxLength: 4, value });
    return { input, label, field: make("label", { class: term === "figures" ? "field long" : "field" }, label, input) };
  }

  /** Shows what means something with what is given. */
  #show() {
    const given = this.given();
    const shown = asked(this.#discipline, given);
    for (const [term, { field }] of this.#fields) field.hidden = !shown.has(term);
    const length = this.#fields.get("length");
    if (length === undefined) return;
    const unit = given.unit === "match" ? "set" : given.unit;
    length.label.textContent = `${text(given.kind === "race_to" ? "race_to" : "best_of")} (${text(/** @type {Name} */ (unit))})`;
  }

  /** The label of a field in which something can't be meant. */
  wrong() {
    const wrong = [...this.#fields].find(([term, { input, field }]) => !field.hidden && input.type !== "checkbox" && choices(this.#discipline.rules, term).length === 0 && isNone(term, input.value));
    if (wrong === undefined) return null;
    const [, { input, label }] = wrong;
    if (this.#more.contains(input)) this.#folded.open = true;
    input.focus();
    return label.textContent;
  }

  given() {
    const values = [...this.#fields].map(([term, { input }]) => [term, input instanceof HTMLInputElement && input.type === "checkbox" ? input.checked : input.value]);
    return /** @type {Terms} */ (Object.fromEntries(values));
  }
}

/**
 * Asks for a match: another one by the rules of `like`, or what `corrected` should have been. `check` says why it can't be
 * played, or null.
 * @param {Discipline[]} disciplines @param {{ like?: Partial<Start> | null, corrected?: Omit<Start, "type"> | null }} from
 * @param {(start: Start) => string | null} check @param {string} title
 * @returns {Promise<Start | null>}
 */
export function setUp(disciplines, { like = null, corrected = null }, check, title) {
  const before = corrected ?? like;
  /** @param {string} id @param {Record<string, any>} [more] */
  const field = (id, more = {}) => make("input", { "data-testid": id, autocomplete: "off", maxLength: 100, ...more });
  const names = [0, 1].map((n) => field(`name-${n}`, { value: corrected?.sides[n]?.name ?? "" }));
  const countries = [0, 1].map((n) => field(`country-${n}`, { value: corrected?.sides[n]?.country ?? "", maxLength: 2, class: "upper", autocapitalize: "characters" }));
  const heading = field("match-title", { value: corrected?.title ?? "" });
  const discipline = make("select", { "data-testid": "discipline" }, ...disciplines.map(({ id }) => make("option", { value: id }, NAMES[id] ?? id)));
  discipline.value = before?.discipline ?? disciplines[0]?.id ?? "";
  const wrong = make("p", { class: "wrong", role: "alert", "data-testid": "wrong" });
  const chosen = () => disciplines.find(({ id }) => id === discipline.value) ?? disciplines[0];
  const first = chosen();
  if (first === undefined) return Promise.resolve(null);
  const kept = () => (before?.discipline === discipline.value ? before : null);
  const form = new Form(first, kept());
  discipline.onchange = () => form.fill(chosen() ?? first, kept());

  const given = () => {
    /** @param {number} n */
    const player = (n) => {
      const country = countries[n]?.value.trim().toUpperCase() ?? "";
      return { name: names[n]?.value.trim() ?? "", ...(country === "" ? {} : { country }) };
    };
    /** @type {Start} */
    const start = {
      type: "start",
      title: heading.value.trim() || [...`${player(0).name} – ${player(1).name}`].slice(0, TITLE_LEN_MAX).join("").trim(),
      discipline: discipline.value,
      sides: [player(0), player(1)],
      ...agreed(chosen() ?? first, form.given(), kept()),
    };
    const field = form.wrong();
    const why = field === null ? check(start) : text("no_number", { field });
    wrong.textContent = why ?? "";
    return why === null ? start : null;
  };
  const players = names.map((name, n) =>
    make("div", { class: "player" }, labelled(text("name", { n: n + 1 }), name), labelled(text("country"), /** @type {HTMLElement} */ (countries[n]))),
  );
  const head = make("div", { class: "fields" }, labelled(text("discipline"), discipline), labelled(text("match_title"), heading));
  return ask(title, [make("div", { class: "players" }, ...players), head, ...form.nodes, wrong], given, { accept: corrected === null ? text("make_up") : text("accept"), wide: true });
}
