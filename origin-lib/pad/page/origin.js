// The origin's score API: one request each, with a bound on its time, and what its answer means.

/** @typedef {import("./types.js").Item} Item */
/** @typedef {import("./types.js").Place} Place */
/** @typedef {import("./types.js").Waiting} Waiting */

/** How long the origin may take for an answer, in milliseconds: longer than it waits for its disk. */
const ANSWER_MS_MAX = 12_000;

/** The most pages of events of one match. */
const PAGES_MAX = 40;

/** The origin does not answer, or not now: the same request may be sent again. */
export class Away extends Error {}

/** The origin answers, and says no. */
export class Denied extends Error {
  /** @param {number} status @param {{ code?: string, message?: string, expected?: Place }} error */
  constructor(status, error) {
    super(error.message ?? `status ${status}`);
    this.status = status;
    this.code = error.code ?? "";
    this.expected = error.expected ?? null;
  }
}

export class Origin {
  #base;
  #key;

  /** @param {string} channel @param {string} key */
  constructor(channel, key) {
    this.#base = `/v1/channels/${encodeURIComponent(channel)}/matches`;
    this.#key = key;
  }

  /** @param {string} key */
  useKey(key) {
    this.#key = key;
  }

  /** @param {string} path @param {unknown} [body] @returns {Promise<any>} */
  async #ask(path, body) {
    let answer;
    try {
      answer = await fetch(this.#base + path, {
        method: body === undefined ? "GET" : "PUT",
        headers: { authorization: `Bearer ${this.#key}`, ...(body === undefined ? {} : { "content-type": "application/json" }) },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
        signal: AbortSignal.timeout(ANSWER_MS_MAX),
        cache: "no-store",
        credentials: "omit",
        redirect: "error",
      });
      if (answer.ok) return await answer.json();
    } catch (error) {
      throw new Away(String(error));
    }
    const said = await answer.json().catch(() => ({}));
    // What a proxy says between the origin and us is no answer of the origin.
    const passing = answer.status >= 500 || answer.status === 408 || answer.status === 429;
    if (passing || typeof said?.error?.code !== "string") throw new Away(`status ${answer.status}`);
    throw new Denied(answer.status, said.error);
  }

  /** The newest match of the channel, if there is one, and the origin's time. @returns {Promise<{ match: string | null, now?: number }>} */
  async newest() {
    const { matches, now } = await this.#ask("");
    return { match: matches[0]?.match ?? null, now };
  }

  /** All events of a match behind this place; none where there is no such match. @param {string} match @param {Place | null} after @returns {Promise<Item[]>} */
  async events(match, after = null) {
    /** @type {Item[]} */
    const items = [];
    let last = after ?? { epoch: 0, seq: 0 };
    for (let page = 0; page < PAGES_MAX; page += 1) {
      try {
        const found = await this.#ask(`/${match}/events?after_epoch=${last.epoch}&after_seq=${last.seq}`);
        items.push(...found.events);
        if (!found.more) break;
      } catch (error) {
        if (error instanceof Denied && error.code === "no-such-match") return [];
        throw error;
      }
      const end = items.at(-1);
      if (end === undefined) break;
      last = end;
    }
    return items;
  }

  /** The epoch of whoever was heard last of a match, be it without an event yet; 0 where nobody was. @param {string} match @returns {Promise<number>} */
  async epoch(match) {
    try {
      return (await this.#ask(`/${match}`)).scorer?.epoch ?? 0;
    } catch (error) {
      if (error instanceof Denied && error.code === "no-such-match") return 0;
      throw error;
    }
  }

  /** A match as it is scored, from behind this place. @param {string} match @param {Place} after @param {AbortSignal} signal @returns {Promise<ReadableStream<Uint8Array>>} */
  async stream(match, { epoch, seq }, signal) {
    const answer = await fetch(`${this.#base}/${match}/stream?after_epoch=${epoch}&after_seq=${seq}`, {
      headers: { authorization: `Bearer ${this.#key}` },
      signal,
      cache: "no-store",
      credentials: "omit",
      redirect: "error",
    });
    if (!answer.ok || answer.body === null) throw new Away(`status ${answer.status}`);
    return answer.body;
  }

  /** Sends an event as it is. @param {Waiting} item @returns {Promise<{ last: Place, diverged: boolean }>} */
  put({ match, epoch, seq, event }) {
    return this.#ask(`/${match}/events/${epoch}/${seq}`, event);
  }

  /** Says that the scorer is there, and hears who scores. @param {string} match @param {{ epoch: number, pending: number }} said @returns {Promise<{ now: number, epoch?: number, last: Place | null }>} */
  scorer(match, said) {
    return this.#ask(`/${match}/scorer`, said);
  }
}
