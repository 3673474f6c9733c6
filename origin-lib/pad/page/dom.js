// Small pieces of the page.

/** @param {string} id */
export function byId(id) {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`#${id} is missing`);
  return found;
}

/**
 * An element with these properties and contents. `class` is its class, `data-…`, `aria-…`, `role` and `for` are attributes.
 * @template {keyof HTMLElementTagNameMap} Tag
 * @param {Tag} tag @param {Record<string, any>} [properties] @param {(Node | string)[]} contents
 * @returns {HTMLElementTagNameMap[Tag]}
 */
export function make(tag, properties = {}, ...contents) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name === "class") element.className = value;
    else if (/^(data-|aria-|role$|for$)/.test(name)) element.setAttribute(name, String(value));
    else Object.assign(element, { [name]: value });
  }
  element.append(...contents);
  return element;
}

/** @param {string} label @param {() => void} act @param {Record<string, any>} [more] */
export function button(label, act, more = {}) {
  return make("button", { type: "button", onclick: act, ...more }, label);
}

/**
 * Puts `next` in the place of what is in `parent`, and keeps the focus on what has the same `data-testid`.
 * @param {HTMLElement} parent @param {Node[]} next
 */
export function replace(parent, next) {
  const focused = document.activeElement instanceof HTMLElement && parent.contains(document.activeElement) ? document.activeElement.dataset["testid"] : undefined;
  parent.replaceChildren(...next);
  if (focused === undefined) return;
  const again = parent.querySelector(`[data-testid="${CSS.escape(focused)}"]`);
  if (again instanceof HTMLElement) again.focus({ preventScroll: true });
}
