// What this browser keeps of a channel: the score key, whose match it is, and every event of it, acknowledged or waiting. A
// change is on the disk when its promise resolves.

/** @typedef {import("./types.js").Item} Item */
/** @typedef {import("./types.js").Kept} Kept */
/** @typedef {import("./types.js").Waiting} Waiting */
/** @typedef {{ channel: string, order: number, acknowledged: boolean, item: Waiting }} Row */

/** Another page of this browser has changed the match meanwhile. */
export class Overtaken extends Error {}

/** @template T @param {IDBRequest<T>} request @returns {Promise<T>} */
function result(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

/** @param {Waiting} item */
function name({ match, epoch, seq }) {
  return `${match}/${epoch}/${seq}`;
}

export class Store {
  #database;
  #channel;
  /** The order of the next event. */
  #next = 1;
  /** @type {Map<string, number>} The order of each event that waits. */
  #orders = new Map();

  /** @param {IDBDatabase | Error} database one that is open, or why there is none @param {string} channel */
  constructor(database, channel) {
    this.#database = database;
    this.#channel = channel;
  }

  /** What a browser has kept. One that refuses gives a store that keeps nothing. @param {string} channel */
  static async open(channel) {
    try {
      return await Store.#opened(channel);
    } catch (error) {
      return new Store(error instanceof Error ? error : new Error(String(error)), channel);
    }
  }

  /** @param {string} channel */
  static async #opened(channel) {
    const request = indexedDB.open("railbird-pad", 1);
    request.onupgradeneeded = () => {
      request.result.createObjectStore("channels");
      request.result.createObjectStore("events", { keyPath: ["channel", "order"] });
    };
    return new Store(await result(request), channel);
  }

  /**
   * Does `work` in one transaction and waits for the disk.
   * @template T @param {(channels: IDBObjectStore, events: IDBObjectStore) => Promise<T>} work
   */
  async #change(work) {
    if (this.#database instanceof Error) throw this.#database;
    const transaction = this.#database.transaction(["channels", "events"], "readwrite", { durability: "strict" });
    const done = new Promise((resolve, reject) => {
      transaction.oncomplete = () => resolve(undefined);
      transaction.onabort = () => reject(transaction.error ?? new Error("the browser gave up"));
    });
    let value;
    try {
      value = await work(transaction.objectStore("channels"), transaction.objectStore("events"));
    } catch (error) {
      done.catch(() => {});
      try {
        transaction.abort();
      } catch {
        // It has ended by itself.
      }
      throw error;
    }
    await done;
    return value;
  }

  #range() {
    return IDBKeyRange.bound([this.#channel, 0], [this.#channel, Infinity]);
  }

  /** Everything that is kept, the oldest event first. @returns {Promise<{ kept: Kept | null, rows: Row[] }>} */
  async read() {
    if (this.#database instanceof Error) return { kept: null, rows: [] };
    const transaction = this.#database.transaction(["channels", "events"]);
    const kept = result(transaction.objectStore("channels").get(this.#channel));
    /** @type {Promise<Row[]>} */
    const rows = result(transaction.objectStore("events").getAll(this.#range()));
    const found = await rows;
    this.#next = (found.at(-1)?.order ?? 0) + 1;
    this.#orders = new Map(found.filter(({ acknowledged }) => !acknowledged).map(({ item, order }) => [name(item), order]));
    return { kept: (await kept) ?? null, rows: found };
  }

  /** @param {IDBObjectStore} channels @param {Kept} kept */
  async #claim(channels, kept) {
    /** @type {Kept | undefined} */
    const before = await result(channels.get(this.#channel));
    if ((before?.revision ?? 0) !== kept.revision) throw new Overtaken();
    kept.revision += 1;
    channels.put({ ...kept }, this.#channel);
  }

  /** Notes what is no doing of the scorer: the key, whose it is, the clock. @param {Kept} kept */
  async note(kept) {
    await this.#change(async (channels) => {
      /** @type {Kept | undefined} */
      const before = await result(channels.get(this.#channel));
      const { key, offset, scorer } = kept;
      channels.put({ ...(before ?? kept), key, offset, ...(scorer === undefined ? {} : { scorer }) }, this.#channel);
    });
  }

  /** Keeps these behind the others, to be sent. @param {Kept} kept @param {Waiting[]} items */
  async append(kept, items) {
    const claimed = { ...kept };
    let order = this.#next;
    await this.#change(async (channels, events) => {
      await this.#claim(channels, claimed);
      for (const item of items) events.put({ channel: this.#channel, order: order++, acknowledged: false, item });
    });
    for (const [index, item] of items.entries()) this.#orders.set(name(item), this.#next + index);
    this.#next = order;
    kept.revision = claimed.revision;
  }

  /** The origin has it. @param {Waiting} item */
  async acknowledge(item) {
    const order = this.#orders.get(name(item));
    if (order === undefined) return;
    await this.#change(async (_, events) => {
      /** @type {Row | undefined} */
      const row = await result(events.get([this.#channel, order]));
      // Another page of this browser may have put something else there.
      if (row !== undefined && name(row.item) === name(item)) events.put({ ...row, acknowledged: true });
    });
    this.#orders.delete(name(item));
  }

  /** Keeps these and nothing else. @param {Kept} kept @param {Waiting[]} acknowledged @param {Waiting[]} waiting */
  async replace(kept, acknowledged, waiting) {
    const claimed = { ...kept };
    let order = 1;
    await this.#change(async (channels, events) => {
      await this.#claim(channels, claimed);
      events.delete(this.#range());
      for (const item of acknowledged) events.put({ channel: this.#channel, order: order++, acknowledged: true, item });
      for (const item of waiting) events.put({ channel: this.#channel, order: order++, acknowledged: false, item });
    });
    this.#next = order;
    this.#orders = new Map(waiting.map((item, index) => [name(item), acknowledged.length + index + 1]));
    kept.revision = claimed.revision;
  }
}
