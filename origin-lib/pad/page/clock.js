// The origin's clock, as its answers tell it.

/** @typedef {import("./types.js").Waiting} Waiting */

/** An answer that took longer says too little, in milliseconds. */
const ANSWER_MS_MAX = 2_000;

/**
 * Asks something whose answer has the origin's time. `offset` is what has to be added to this device's clock by that, where
 * `known` was, or null before the first answer, which is better than none.
 * @template {{ now?: number }} T @param {() => Promise<T>} ask @param {number | null} known @returns {Promise<{ answer: T, offset: number }>}
 */
export async function timed(ask, known) {
  const from = Date.now();
  const answer = await ask();
  const until = Date.now();
  const saysEnough = until >= from && until - from <= ANSWER_MS_MAX;
  if (answer.now === undefined || !(saysEnough || known === null)) return { answer, offset: known ?? 0 };
  const ahead = answer.now - (from + until) / 2;
  // What a slow answer can't tell from a right clock is taken for one.
  return { answer, offset: saysEnough || Math.abs(ahead) > Math.abs(until - from) / 2 ? ahead : 0 };
}

/** An event as it is by a clock that is ahead by so much. What it claimed had a shot clock by the other one. @param {Waiting} item @param {number} ms @returns {Waiting} */
export function moved({ event: { state, ...event }, ...item }, ms) {
  return { ...item, event: { ...event, occurred: Math.max(0, Math.round(event.occurred + ms)) } };
}
