// Waits for a session where what plays is refused for want of one. No I/O, no clock.

/** What plays, as far as it matters here: an hls.js. */
export interface Loading {
  /** What its multivariant playlist gave; none before that came. */
  readonly levels: readonly unknown[];
  stopLoad(): void;
  startLoad(): void;
}

export class Lapse {
  #waits = false;

  /** What plays is refused: it loads nothing until `login` is over, and goes on, or what plays by then is begun afresh. */
  async wait(refused: Loading, login: () => Promise<void>, playing: () => Loading | null, afresh: () => void): Promise<void> {
    if (this.#waits) return;
    this.#waits = true;
    refused.stopLoad();
    await login();
    this.#waits = false;
    // What was begun meanwhile was refused too, and hls.js asks for a multivariant playlist once.
    if (refused === playing() && refused.levels.length > 0) refused.startLoad();
    else afresh();
  }
}
