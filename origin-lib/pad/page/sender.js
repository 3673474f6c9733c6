// What waits is sent in order, one at a time, each as it is until the origin has it.

import { Away, Denied } from "./origin.js";
import { Pause } from "./pause.js";

/** @typedef {import("./types.js").Waiting} Waiting */

/** How long to wait before an event is sent again, in milliseconds: at first, and at most. */
const AGAIN_MS = [500, 8_000];

export class Sender {
  #next;
  #offer;
  #failed;
  #sending = false;
  /** Before the next try. */
  #patience = new Pause();

  /**
   * Sends what `next` gives by `offer`, which changes what is next; `failed` hears what was in the way.
   * @param {() => Waiting | undefined} next @param {(item: Waiting) => Promise<unknown>} offer @param {(error: unknown) => void} failed
   */
  constructor(next, offer, failed) {
    this.#next = next;
    this.#offer = offer;
    this.#failed = failed;
  }

  /** The next try is now. */
  hurry() {
    this.#patience.end();
  }

  /** Sends until nothing is next. */
  async send() {
    if (this.#sending) return;
    this.#sending = true;
    let wait = AGAIN_MS[0] ?? 0;
    for (let item = this.#next(); item !== undefined; item = this.#next()) {
      try {
        await this.#offer(item);
        wait = AGAIN_MS[0] ?? 0;
      } catch (error) {
        this.#failed(error);
        if (!(error instanceof Away || error instanceof Denied)) continue;
        await this.#patience.rest(wait * (0.75 + Math.random() / 2));
        wait = Math.min(2 * wait, AGAIN_MS[1] ?? wait);
      }
    }
    this.#sending = false;
  }
}
