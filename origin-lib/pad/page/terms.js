// What a match is played by, as a form has it: texts and ticks, from the rules and back to them. No page is needed for it.

/** @typedef {import("./types.js").Discipline} Discipline */
/** @typedef {import("./types.js").RulesOf} RulesOf */
/** @typedef {import("./types.js").Rule} Rule */
/** @typedef {import("./types.js").Start} Start */
/** @typedef {import("./types.js").Figure} Figure */

/**
 * Every field of the form by its name. What is a number stands as it was typed; an empty one is as the discipline has it.
 * @typedef {{
 *   unit: string, kind: string, target: string, length: string, equalising: boolean, breaks: string, variant: string, figures: string,
 *   "target-0": string, "target-1": string, "length-0": string, "length-1": string, "head-start-0": string, "head-start-1": string,
 *   "last-target": string, "innings-max": string, tie: string, "extension-innings": string, level: string, begins: string,
 *   white: string, swap: string, "break-at-half": boolean,
 *   "shot-clock": string, extensions: string, "extension-seconds": string, "time-outs": string, "time-out-seconds": string,
 * }} Terms
 */

/** @typedef {keyof Terms} Term */

/** How many sets are offered where a game is played in one match as a rule. */
const SETS = 5;

/** What one time-out lasts where nobody says, in seconds. */
const TIME_OUT_S = 120;

/** Innings of an extension where nobody says. */
const EXTENSION_INNINGS = 3;

/** Forms of balkline, to choose from or to write another. */
export const VARIANTS = ["47/2", "47/1", "71/2", "52/2", "57/2", "35/2"];

/** @param {unknown} value */
const shown = (value) => (value === null || value === undefined ? "" : String(value));

/** A number for both, or one each: what stands for both, and for each. @param {number | [number, number] | null | undefined} pair @returns {[string, string, string]} */
function apart(pair) {
  return Array.isArray(pair) ? ["", shown(pair[0]), shown(pair[1])] : [shown(pair), "", ""];
}

/** The rules of a match that its start has, or that it would have. @param {RulesOf} of @param {Partial<Start> | null} start @returns {RulesOf} */
function played(of, start) {
  const rules = { ...of, ...start?.rules };
  if (start?.target !== undefined) rules.target = start.target;
  if (start?.equalising_inning !== undefined) rules.equalising_inning = start.equalising_inning;
  return rules;
}

/** The form for a match like `start`, or for one of the discipline whose rules these are. @param {RulesOf} of @param {Partial<Start> | null} start @returns {Terms} */
export function terms(of, start) {
  const rules = played(of, start);
  const [target, ...targets] = apart(rules.target);
  const [length, ...lengths] = apart("best_of" in rules.length ? rules.length.best_of : rules.length.race_to);
  const { tie, shot_clock: clock, time_outs: outs, head_start: begin } = rules;
  return {
    unit: rules.unit,
    kind: rules.unit === "match" || "best_of" in rules.length ? "best_of" : "race_to",
    target: target === "" ? shown(of.target) : target,
    length: rules.unit === "match" ? String(SETS) : length,
    equalising: rules.equalising_inning,
    breaks: shown(start?.breaks ?? 0),
    variant: start?.variant ?? "",
    figures: (start?.figures ?? []).map(({ code, points }) => `${code} ${points}`).join("\n"),
    "target-0": targets[0],
    "target-1": targets[1],
    "length-0": lengths[0],
    "length-1": lengths[1],
    "head-start-0": shown(begin[0] || ""),
    "head-start-1": shown(begin[1] || ""),
    "last-target": shown(rules.last_target),
    "innings-max": shown(rules.innings_max),
    tie: typeof tie === "string" ? tie : "extension",
    "extension-innings": shown(typeof tie === "string" ? EXTENSION_INNINGS : tie.extension.innings),
    level: rules.level,
    begins: rules.begins,
    white: shown(start?.white),
    swap: rules.swap_balls,
    "break-at-half": rules.break_at_half,
    "shot-clock": shown(clock?.seconds),
    extensions: shown(clock?.extensions),
    "extension-seconds": shown(clock?.extension_seconds),
    "time-outs": shown(outs?.count),
    "time-out-seconds": shown(outs?.seconds),
  };
}

/** Which fields mean something in such a match. @param {Discipline} discipline @param {Terms} given @returns {Set<Term>} */
export function asked({ id, rules: of }, given) {
  const strict = of.turns === "miss" || of.turns === "shot";
  const units = given.unit !== "match";
  const target = of.points && (of.target !== null || given.target !== "" || given["target-0"] !== "");
  const race = units && given.kind === "race_to";
  /** @type {[Term, boolean][]} */
  const all = [
    ["target", of.points],
    ["length", units],
    ["breaks", true],
    ["variant", id === "balkline"],
    ["figures", id === "artistique"],
    ["shot-clock", true],
    ["equalising", strict && target],
    ["target-0", of.points],
    ["target-1", of.points],
    ["length-0", race],
    ["length-1", race],
    ["head-start-0", of.points],
    ["head-start-1", of.points],
    ["unit", strict && of.unit === "match"],
    ["kind", units],
    ["last-target", units && target],
    ["begins", units],
    ["level", units && !race],
    ["innings-max", strict],
    ["tie", of.points],
    ["extension-innings", of.points && given.tie === "extension"],
    ["white", strict],
    ["swap", strict],
    ["break-at-half", target],
    ["extensions", given["shot-clock"] !== ""],
    ["extension-seconds", given["shot-clock"] !== ""],
    ["time-outs", true],
    ["time-out-seconds", given["time-outs"] !== ""],
  ];
  return new Set(all.filter(([, is]) => is).map(([term]) => term));
}

/** The choices of a field that has some. @param {RulesOf} of @param {Term} term @returns {string[]} */
export function choices(of, term) {
  const strict = of.turns === "miss" || of.turns === "shot";
  switch (term) {
    case "kind":
      return ["best_of", "race_to"];
    case "unit":
      return of.unit === "match" ? ["match", "set"] : [of.unit];
    case "tie":
      return ["shootout", ...(strict ? ["extension"] : []), "draw", "play_on"];
    case "level":
      return ["extra_unit", "draw"];
    case "begins":
      return ["alternate", "winner", "loser", "called"];
    case "swap":
      return ["never", "half", "unit"];
    case "breaks":
      return ["0", "1"];
    case "white":
      return ["", "0", "1"];
    default:
      return [];
  }
}

/** Fields of text, and those whose numbers may be below zero. @type {Term[]} */
const TEXTS = ["variant"];
/** @type {Term[]} */
const SIGNED = ["head-start-0", "head-start-1"];

/** Whether what was typed in a field without choices can't be meant. @param {Term} term @param {string} typed */
export function isNone(term, typed) {
  const is = term === "figures" ? /^([!-~]+[\s:=]+\d+)?$/ : SIGNED.includes(term) ? /^[-−]?\d*$/ : /^\d*$/;
  return !TEXTS.includes(term) && !lines(term === "figures" ? typed : typed.trim()).every((line) => is.test(line));
}

/** @param {string} typed */
function lines(typed) {
  return typed.split(/[\n,;]/).map((line) => line.trim());
}

/** A number in a field, or undefined where it is empty. @param {string} typed */
function whole(typed) {
  const digits = typed.trim().replace("−", "-");
  return digits === "" ? undefined : Number(digits);
}

/** A number for both, or one each where one of them has its own. @param {Terms} given @param {"target" | "length"} term @param {number | undefined} common @returns {number | [number, number] | undefined} */
function pair(given, term, common) {
  const own = [whole(given[`${term}-0`]), whole(given[`${term}-1`])];
  if (term === "length" && given.kind === "best_of") return common;
  if (own[0] === undefined && own[1] === undefined) return common;
  return [own[0] ?? common ?? 0, own[1] ?? common ?? 0];
}

/** Figures: in each line, or between commas, a code and its points. @param {string} typed @returns {Figure[]} */
function figures(typed) {
  const each = lines(typed).filter((line) => line !== "");
  return each.map((line) => {
    const [code = "", points = ""] = line.split(/[\s:=]+/);
    return { code, points: Number(points) };
  });
}

/** @param {unknown} a @param {unknown} b */
function same(a, b) {
  return JSON.stringify(a) === JSON.stringify(b);
}

/**
 * The start of a match as the form has it: what is as the discipline has it is left out. Of `before` stays what the form does
 * not ask.
 * @param {Discipline} discipline @param {Terms} given @param {Partial<Start> | null} before
 * @returns {Pick<Start, "breaks" | "equalising_inning" | "target" | "variant" | "figures" | "white" | "rules">}
 */
export function agreed(discipline, given, before) {
  const of = discipline.rules;
  const is = asked(discipline, given);
  /** @param {Term} term */
  const number = (term) => (is.has(term) ? whole(/** @type {string} */ (given[term])) : undefined);
  /** @param {"shot_clock" | "time_outs"} name */
  const per = (name) => {
    const kept = given.unit === (before?.rules?.unit ?? of.unit) ? before?.rules?.[name]?.per : undefined;
    return given.unit === "match" ? "match" : (kept ?? "unit");
  };

  /** @type {Partial<Record<Rule, unknown>>} */
  const rules = { unit: given.unit, begins: given.begins, level: given.level, swap_balls: given.swap, break_at_half: is.has("break-at-half") && given["break-at-half"] };
  const long = is.has("length") ? pair(given, "length", number("length")) : undefined;
  rules.length = long === undefined ? of.length : { [given.kind]: long };
  rules.last_target = number("last-target");
  rules.innings_max = number("innings-max");
  rules.head_start = is.has("head-start-0") ? [whole(given["head-start-0"]) ?? 0, whole(given["head-start-1"]) ?? 0] : of.head_start;
  rules.tie = given.tie === "extension" ? { extension: { innings: number("extension-innings") ?? EXTENSION_INNINGS } } : given.tie;
  const seconds = number("shot-clock");
  if (seconds !== undefined) {
    rules.shot_clock = { seconds, extensions: number("extensions") ?? 0, extension_seconds: number("extension-seconds") ?? seconds, per: per("shot_clock") };
  }
  const count = number("time-outs");
  if (count !== undefined && count !== 0) rules.time_outs = { count, seconds: number("time-out-seconds") ?? TIME_OUT_S, per: per("time_outs") };

  /** @type {Record<string, unknown>} */
  const own = { ...before?.rules };
  for (const [name, value] of Object.entries(rules)) {
    if (value === undefined || same(value, of[/** @type {Rule} */ (name)])) delete own[name];
    else own[name] = value;
  }
  if (seconds === undefined) delete own["shot_clock"];
  if (rules.time_outs === undefined) delete own["time_outs"];

  const target = is.has("target") || is.has("target-0") ? pair(given, "target", number("target")) : undefined;
  const programme = is.has("figures") ? figures(given.figures) : [];
  return {
    breaks: given.breaks === "1" ? 1 : 0,
    equalising_inning: is.has("equalising") && given.equalising,
    ...(target === undefined || same(target, of.target) ? {} : { target }),
    ...(given.variant.trim() === "" ? {} : { variant: given.variant.trim() }),
    ...(programme.length === 0 ? {} : { figures: programme }),
    ...(given.white !== "" ? { white: given.white === "1" ? 1 : 0 } : {}),
    ...(Object.keys(own).length === 0 ? {} : { rules: own }),
  };
}

/** A match of others by the same rules: without who plays, and without what is theirs. @param {Omit<Start, "type"> | null} start @returns {Partial<Start> | null} */
export function again(start) {
  if (start === null) return null;
  const { discipline, variant, target, equalising_inning, figures, rules } = start;
  const { head_start: _, length, ...others } = rules ?? {};
  const both = length !== undefined && ("best_of" in length || !Array.isArray(length.race_to));
  return {
    discipline,
    ...(variant === undefined ? {} : { variant }),
    ...(target === undefined || Array.isArray(target) ? {} : { target }),
    ...(equalising_inning === undefined ? {} : { equalising_inning }),
    ...(figures === undefined ? {} : { figures }),
    rules: both ? { ...others, length } : others,
  };
}
