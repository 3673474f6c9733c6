// A wait that can be cut short.

export class Pause {
  #end = () => {};

  /** @param {number} ms */
  rest(ms) {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      this.#end = () => {
        clearTimeout(timer);
        resolve(undefined);
      };
    });
  }

  /** Ends it, where there is one. */
  end() {
    this.#end();
  }
}
