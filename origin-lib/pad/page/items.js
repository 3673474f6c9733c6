// Events, compared.

/** @typedef {import("./types.js").Item} Item */

/** Whether two are the same event at the same place. @param {Item} a @param {Item} b */
export function is(a, b) {
  return a.epoch === b.epoch && a.seq === b.seq && JSON.stringify(sorted(a.event)) === JSON.stringify(sorted(b.event));
}

/** JSON in one order of keys. @param {unknown} value @returns {unknown} */
function sorted(value) {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).map(([key, part]) => [key, sorted(part)]);
  return Object.fromEntries(entries.sort(([a], [b]) => (String(a) < String(b) ? -1 : 1)));
}
