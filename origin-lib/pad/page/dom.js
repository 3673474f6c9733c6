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

/** What an element is, and what a press of it means where that changes. @param {Node} node */
function name(node) {
  return node instanceof HTMLElement ? `${node.dataset["testid"] ?? ""} ${node.dataset["means"] ?? ""}` : undefined;
}

/** Makes `old` what `fresh` is. @param {Node} old @param {Node} fresh */
function become(old, fresh) {
  if (!(old instanceof HTMLElement && fresh instanceof HTMLElement)) {
    if (old.nodeValue !== fresh.nodeValue) old.nodeValue = fresh.nodeValue;
    return;
  }
  for (const name of old.getAttributeNames()) if (!fresh.hasAttribute(name)) old.removeAttribute(name);
  for (const { name, value } of fresh.attributes) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  old.onclick = fresh.onclick;
  replace(old, [...fresh.childNodes]);
}

/**
 * Makes what is in `parent` what `next` is. An element that has the same `data-testid` and `data-means` stays, with the focus, and with the finger
 * on it: a button that goes while it is pressed is not clicked.
 * @param {HTMLElement} parent @param {Node[]} next
 */
export function replace(parent, next) {
  let at = parent.firstChild;
  for (const fresh of next) {
    let old = at;
    while (old !== null && (old.nodeName !== fresh.nodeName || name(old) !== name(fresh))) old = old.nextSibling;
    if (old === null) {
      parent.insertBefore(fresh, at);
      continue;
    }
    while (at !== null && at !== old) {
      const gone = at;
      at = at.nextSibling;
      gone.remove();
    }
    become(old, fresh);
    at = old.nextSibling;
  }
  while (at !== null) {
    const gone = at;
    at = at.nextSibling;
    gone.remove();
  }
}
