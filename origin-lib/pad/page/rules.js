// The rules of the score, which are railbird-core's own: this module only carries questions to them, and answers back.

/** @typedef {import("./types.js").Action} Action */
/** @typedef {import("./types.js").Item} Item */
/** @typedef {import("./types.js").View} View */
/** @typedef {import("./types.js").Place} Place */
/** @typedef {import("./types.js").Discipline} Discipline */

/** How many events one question carries: with the largest of them it stays below the module's bound. */
const PAGE = 500;

/** What can't be done, in a sentence for the scorer. */
export class Refused extends Error {}

export class Rules {
  /** @type {{ memory: WebAssembly.Memory, pad_alloc: (len: number) => number, pad_free: (at: number, len: number) => void, pad_answer: (at: number, len: number) => bigint }} */
  #wasm;

  #module;

  /** @param {WebAssembly.Module} module @param {WebAssembly.Instance} instance */
  constructor(module, instance) {
    this.#module = module;
    this.#wasm = /** @type {any} */ (instance.exports);
  }

  /** The same rules with a match of their own; without a network. */
  async another() {
    return new Rules(this.#module, await WebAssembly.instantiate(this.#module, {}));
  }

  /** Fetches the module beside this script. */
  static async load() {
    const answer = await fetch(new URL("pad.wasm", import.meta.url));
    if (!answer.ok) throw new Error(`pad.wasm: ${answer.status}`);
    const { module, instance } = await WebAssembly.instantiate(await answer.arrayBuffer(), {});
    return new Rules(module, instance);
  }

  /** @param {object} question @returns {any} */
  #ask(question) {
    const bytes = new TextEncoder().encode(JSON.stringify(question));
    const { memory, pad_alloc, pad_free, pad_answer } = this.#wasm;
    const at = pad_alloc(bytes.length);
    if (at === 0) throw new Refused("that is too much at once");
    new Uint8Array(memory.buffer, at, bytes.length).set(bytes);
    const packed = BigInt.asUintN(64, pad_answer(at, bytes.length));
    pad_free(at, bytes.length);
    const [from, length] = [Number(packed >> 32n), Number(packed & 0xffffffffn)];
    const answer = JSON.parse(new TextDecoder().decode(new Uint8Array(memory.buffer, from, length)));
    pad_free(from, length);
    if (typeof answer.refused === "string") throw new Refused(answer.refused);
    return answer;
  }

  /** @returns {Discipline[]} */
  disciplines() {
    return this.#ask({ do: "disciplines" }).disciplines;
  }

  /** Takes these events in the place of what is there. @param {Item[]} items @returns {View} */
  load(items) {
    const view = this.#ask({ do: "load", events: items.slice(0, PAGE) }).view;
    return items.length > PAGE ? this.add(items.slice(PAGE)) : view;
  }

  /** Takes these events behind what is there. @param {Item[]} items @returns {View} */
  add(items) {
    let view;
    for (let from = 0; view === undefined || from < items.length; from += PAGE) {
      view = this.#ask({ do: "add", events: items.slice(from, from + PAGE) }).view;
    }
    return view;
  }

  /** @param {number} epoch @param {number} occurred @param {Action} action @returns {{ entered: Item[], view: View }} */
  enter(epoch, occurred, action) {
    return this.#ask({ do: "enter", epoch, occurred, action });
  }

  /** Why each of these can't be entered; null where it can. @param {number} epoch @param {number} occurred @param {Action[]} actions @returns {(string | null)[]} */
  refusals(epoch, occurred, actions) {
    return this.#ask({ do: "check", epoch, occurred, actions }).refusals;
  }

  /**
   * Takes events that are not there as the next ones, with new numbers, without some of them.
   * @param {number} epoch @param {Item[]} events @param {Place[]} without
   * @returns {{ entered: Item[], refused: (Item & { why: string })[], view: View }}
   */
  requeue(epoch, events, without = []) {
    const named = without.map(({ epoch, seq }) => ({ epoch, seq }));
    return this.#ask({ do: "requeue", epoch, events: events.map(({ epoch, seq, event }) => ({ epoch, seq, event })), without: named });
  }
}
