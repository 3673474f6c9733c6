// What the page asks in a dialog. Each resolves to what was given, or null where the scorer thought better of it.

import { byId, button, make } from "./dom.js";
import { text } from "./texts.js";

const dialog = /** @type {HTMLDialogElement} */ (byId("dialog"));
const form = /** @type {HTMLFormElement} */ (byId("dialog-form"));

/** Whether a dialog is open. */
export function isOpen() {
  return dialog.open;
}

/** Gives what was given in the dialog that is open, or was: its closing is told later than it is done. @type {(() => void) | null} */
let finish = null;

dialog.addEventListener("close", () => {
  if (!dialog.open) finish?.();
});

/**
 * @template T @param {string} title @param {Node[]} contents @param {() => T | null} given
 * @param {{ accept?: string, wide?: boolean }} [more] @returns {Promise<T | null>}
 */
function ask(title, contents, given, { accept = text("accept"), wide = false } = {}) {
  if (dialog.open) return Promise.resolve(null);
  finish?.();
  return new Promise((resolve) => {
    const heading = make("h2", { id: "dialog-title" }, title);
    const acts = make("div", { class: "acts" }, button(text("cancel"), () => dialog.close(), { "data-testid": "cancel" }));
    if (accept !== "") acts.append(make("button", { type: "submit", class: "strong", "data-testid": "accept" }, accept));
    form.replaceChildren(heading, ...contents, acts);
    dialog.classList.toggle("wide", wide);
    dialog.setAttribute("aria-labelledby", "dialog-title");
    /** @type {T | null} */
    let value = null;
    form.onsubmit = (event) => {
      event.preventDefault();
      value = given();
      if (value !== null) dialog.close();
    };
    finish = () => {
      finish = null;
      form.replaceChildren();
      resolve(value);
    };
    dialog.showModal();
  });
}

/** A yes. @param {string} question @param {string} accept @param {string[]} [list] */
export async function sure(question, accept, list = []) {
  const lines = make("ul", {}, ...list.map((line) => make("li", {}, line)));
  return (await ask(question, list.length > 0 ? [lines] : [], () => true, { accept })) === true;
}

/** One of several; some may be there to be read only. @template T @param {string} question @param {[string, T, string, boolean?][]} choices @returns {Promise<T | null>} */
export async function choose(question, choices) {
  /** @type {{ value: T | null, is: boolean }} */
  const chosen = { value: null, is: false };
  const buttons = choices.map(([label, value, id, fixed = false]) =>
    button(
      label,
      () => {
        Object.assign(chosen, { value, is: true });
        dialog.close();
      },
      { class: "choice", disabled: fixed, "data-testid": id },
    ),
  );
  await ask(question, [make("div", { class: "choices" }, ...buttons)], () => null, { accept: "" });
  return chosen.is ? chosen.value : null;
}

/** A number, with keys for fingers. @param {string} title @param {{ first?: string, signed?: boolean }} [more] @returns {Promise<number | null>} */
export function number(title, { first = "", signed = false } = {}) {
  let digits = first;
  // It has the focus, so that Enter accepts; from where the keyboard goes to a button, Enter is that button's.
  const shown = make("output", { class: "number", "data-testid": "number", "aria-live": "polite", tabIndex: -1, autofocus: true });
  const show = () => shown.replaceChildren(digits === "" ? "–" : digits.replace("-", "−"));
  /** @param {string} key */
  const press = (key) => {
    if (key === "⌫") digits = digits.slice(0, -1);
    else if (key === "±") digits = digits.startsWith("-") ? digits.slice(1) : `-${digits}`;
    else if (digits.replace("-", "").length < 4) digits = (digits === "0" ? "" : digits) + key;
    show();
  };
  show();
  const keys = ["1", "2", "3", "4", "5", "6", "7", "8", "9", signed ? "±" : "", "0", "⌫"];
  const pad = make(
    "div",
    { class: "keys", onmousedown: (/** @type {MouseEvent} */ event) => event.preventDefault() },
    ...keys.map((key) => (key === "" ? make("span") : button(key, () => press(key), { "data-testid": `key-${key}`, ...(key === "⌫" ? { "aria-label": text("back") } : {}) }))),
  );
  /** @param {KeyboardEvent} event */
  const typed = (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "Backspace") press("⌫");
    else if (event.repeat) return;
    else if (/^\d$/.test(event.key)) press(event.key);
    else if (event.key === "-" && signed) press("±");
    else if (event.key === "Enter" && !(event.target instanceof HTMLButtonElement)) form.requestSubmit();
    else return;
    event.preventDefault();
  };
  dialog.addEventListener("keydown", typed);
  const given = () => (/^-?\d+$/.test(digits) ? Number(digits) : null);
  return ask(title, [shown, pad], given).finally(() => dialog.removeEventListener("keydown", typed));
}

/** A text, not shown. @param {string} title @returns {Promise<string | null>} */
export function secret(title) {
  const input = make("input", { type: "password", autocomplete: "off", "aria-label": title, "data-testid": "key" });
  return ask(title, [input], () => (input.value === "" ? null : input.value));
}

export { ask };
