// What to do where the browser does not keep what it is given: its disk is full, or it may not. Then the page goes on with what
// it has in memory, says so, and tries to keep everything with each change.

import { Overtaken } from "./store.js";

export class Keeper {
  /** Why the browser keeps nothing; null where it does. @type {string | null} */
  refusal = null;

  /**
   * Keeps something by `work`; by `whole`, which keeps everything, where something before was not kept. Only that another page
   * scores is an error.
   * @param {() => Promise<unknown>} work @param {() => Promise<unknown>} whole
   */
  async keep(work, whole) {
    try {
      await (this.refusal === null ? work() : whole());
      this.refusal = null;
    } catch (error) {
      if (error instanceof Overtaken) throw error;
      this.refusal = error instanceof Error ? error.message || error.name : String(error);
    }
  }
}
