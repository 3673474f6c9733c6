// Whether somebody else has taken over: the origin's server-sent events, which are read here, since a request of the browser's
// own reader can't have a key.

import { Pause } from "./pause.js";

/** How long the origin may say nothing, in milliseconds: it says something every five seconds. */
const SILENT_MS_MAX = 20_000;

/** How long to wait before it is asked again, in milliseconds. */
const AGAIN_MS = 2_000;

/** The longest beginning of a line that is kept, in characters: what is looked for stands there. */
const LINE_LEN_MAX = 1_000;

/** The epoch that a line of the stream tells: in an event's id (`id: 2/1`), or as a scorer's. @param {string} line */
function told(line) {
  const epoch = /^id: (\d+)\//.exec(line) ?? /^data: \{"epoch":(\d+)[,}]/.exec(line);
  return epoch === null ? 0 : Number(epoch[1]);
}

/** @typedef {{ match: string, epoch: number }} Scored */

export class Follower {
  #origin;
  #scored;
  #overtaken;
  #pause = new Pause();
  /** Ends what is read. */
  #leave = () => {};
  /** Something else is to be read, without a wait. */
  #anew = false;

  /**
   * Follows what `scored` gives, if anything, and tells of whoever has a higher epoch.
   * @param {import("./origin.js").Origin} origin @param {() => Scored | null} scored @param {(scored: Scored) => Promise<unknown>} overtaken
   */
  constructor(origin, scored, overtaken) {
    this.#origin = origin;
    this.#scored = scored;
    this.#overtaken = overtaken;
  }

  /** What is scored has changed. */
  again() {
    this.#anew = true;
    this.#leave();
    this.#pause.end();
  }

  async run() {
    for (;;) {
      this.#anew = false;
      const scored = this.#scored();
      // Why it can't be had, the heartbeat says.
      if (scored !== null && (await this.#isOvertaken(scored).catch(() => false))) await this.#overtaken(scored);
      if (!this.#anew) await this.#pause.rest(AGAIN_MS);
    }
  }

  /** Reads until a higher epoch is told; false where the stream ends before. @param {Scored} scored */
  async #isOvertaken({ match, epoch }) {
    const reading = new AbortController();
    this.#leave = () => reading.abort();
    const wait = () => setTimeout(() => reading.abort(), SILENT_MS_MAX);
    let timer = wait();
    try {
      // Of one's own epoch nothing is told again.
      const stream = await this.#origin.stream(match, { epoch, seq: Number.MAX_SAFE_INTEGER }, reading.signal);
      const [reader, text] = [stream.getReader(), new TextDecoder()];
      let line = "";
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return false;
        clearTimeout(timer);
        timer = wait();
        const lines = (line + text.decode(value, { stream: true })).split("\n");
        if (lines.some((line) => told(line) > epoch)) return true;
        line = (lines.at(-1) ?? "").slice(0, LINE_LEN_MAX);
      }
    } finally {
      clearTimeout(timer);
      reading.abort();
    }
  }
}
