// Every text of the page. Another language is another table with the same names (texts.fr.js); what it lacks is English. Why
// something is refused comes from the rules, in English.

const ENGLISH = {
  accept: "OK",
  again: "Take over again",
  again_with: "Take over again and send {n}",
  at_table: "at the table",
  average: "Average",
  away: "No connection",
  back: "Back",
  best_of: "Best of",
  break_due: "Break is due",
  breaks: "Who begins",
  by_points: "As the points say",
  cancel: "Cancel",
  clock: "Shot clock",
  clock_extend: "Extend",
  clock_resume: "Go on",
  clock_start: "Start",
  clock_stop: "Stop",
  confirm_end: "Confirm the result",
  connecting: "Connecting …",
  correct: "Correct",
  country: "Country",
  discipline: "Discipline",
  draw: "Draw",
  drop: "Drop this entry",
  edit_start: "Correct names and set-up",
  end_inning: "Miss",
  end_match: "End the match",
  end_unit: "End of {unit}",
  ended: "Match ended",
  equalising: "Equalising inning",
  extensions: "Extensions each",
  finished: "{name} wins",
  finished_draw: "Drawn",
  foul: "Foul",
  foul_points: "Points of the foul",
  frame: "frame",
  high_run: "High run",
  history: "Entries",
  inning: "Inning {n}",
  innings: "Innings",
  key: "Score key of this table",
  key_needed: "The score key is missing or wrong. It is in the address that this table was given, behind #key=.",
  lost_entries: "These entries have no place any more and would be dropped:",
  make_up: "Begin the match",
  match: "match",
  match_title: "Title of the match",
  menu: "Menu",
  name: "Name of side {n}",
  new_match: "New match",
  new_match_sure: "The match is not finished. Begin another one?",
  no_match: "No match yet",
  no_waiting: "All sent",
  number: "Other",
  pause: "Pause",
  paused: "Play rests",
  phase_between: "Between",
  phase_extension: "Extension",
  phase_finished: "Finished",
  phase_playing: "",
  phase_shootout: "Shootout",
  points_of: "Points of {name}",
  race_to: "Race to",
  rack: "rack",
  refused: "The origin refuses: {why}",
  rerack: "Rerack",
  resume: "Play on",
  run: "Run",
  said: "{a} {m}, {b} {n}",
  set: "set",
  shootout_of: "Shootout: {name}",
  shot_clock: "Shot clock, seconds",
  should_be: "Points, as they should have been",
  storage: "This browser can't keep entries ({why}). Nothing was entered.",
  tab: "The score is kept in another window of this browser. Close one of the two, then load this page again.",
  take_over: "Take over",
  take_over_sure: "Score this match from here? Whoever scores it now is told, and can't go on.",
  taken: "Another scorer has taken over.",
  taken_with: "Another scorer has taken over. Not sent of yours: {n}.",
  target: "Target",
  time_out: "Time-out {name} ({n})",
  turn: "Turn: {name}",
  undo: "Undo",
  undo_what: "Undo: {what}",
  undone: "undone",
  waiting: "Waiting: {n}",
  waiting_away: "No connection · waiting: {n}",
  watch: "Only watch",
  watch_drop: "Only watch, and drop {n}",
  watching: "Somebody else scores this match. You only watch.",
  whose_rack: "Who won the {unit}?",
  wins: "{name} wins the {unit}",
  winner: "Who won?",
};

/** @typedef {keyof typeof ENGLISH} Name */

/** Languages whose table is in a file of its own. */
const OTHERS = ["es", "fr", "ko", "nl", "tr", "vi"];

/** The page's language: the first of the browser's that there is. */
export const LANGUAGE = navigator.languages.map((tag) => tag.split("-")[0] ?? "").find((tag) => tag === "en" || OTHERS.includes(tag)) ?? "en";

/** @type {Partial<Record<Name, string>>} */
const own = LANGUAGE === "en" ? {} : (await import(`./texts.${LANGUAGE}.js`)).TEXTS;

/** A text, with what stands in it. @param {Name} name @param {Record<string, string | number>} [parts] */
export function text(name, parts = {}) {
  const found = own[name] ?? ENGLISH[name];
  return found.replace(/\{(\w+)\}/g, (_, part) => String(parts[part] ?? ""));
}
