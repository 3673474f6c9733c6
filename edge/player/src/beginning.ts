// The first bytes of an encrypted object: asked of its nodes one after another, and put in clear.

import type { Place } from "./nodes";
import type { Fetch } from "./request";

/** How long a node may take for a beginning, in milliseconds. */
export const BEGINNING_MS_MAX = 4_000;
/** The most nodes asked for one. */
export const NODES_PER_BEGINNING_MAX = 3;
/** A node that gave none comes last for this time, in milliseconds. */
export const SHY_MS = 30_000;
/** The most nodes kept of those. */
const SHY_MAX = 32;
/** AES-128-CBC's block, in bytes. */
const BLOCK_BYTES = 16;

/** What came of an object, and whether it took all the time there is: then it may be less than was asked for. */
export interface Beginning {
  bytes: Uint8Array;
  late: boolean;
}

/** Nothing came of an object in time. */
export class Late extends Error {
  constructor() {
    super("it takes too long");
  }
}

/** What is needed of the page. */
export interface Host {
  fetch: Fetch;
  now(): number;
}

const who = ({ node, url }: Place): string => node ?? url;

/**
 * Reads beginnings. Which node gave none is kept here and told nobody: one that serves whole objects only is well for the
 * picture.
 */
export class Beginnings {
  #host: Host;
  #shy = new Map<string, number>();

  constructor(host: Host) {
    this.#host = host;
  }

  /**
   * Up to `len` bytes of an object, of the first of its places that gives some; fails where none does, with {@link Late} where one
   * gave none in time. A place that gives too little in time is slow as another one would be, and what it gave was paid for.
   */
  async read(places: readonly Place[], len: number): Promise<Beginning> {
    const now_ms = this.#host.now();
    const rank = (place: Place) => ((this.#shy.get(who(place)) ?? 0) > now_ms ? 1 : 0);
    const order = [...places].sort((a, b) => rank(a) - rank(b)).slice(0, NODES_PER_BEGINNING_MAX);
    let why: unknown = new Error("there is no node to ask");
    for (const place of order) {
      try {
        const beginning = await first(this.#host.fetch, place.url, len);
        this.#shy.delete(who(place));
        return beginning;
      } catch (error) {
        if (!(why instanceof Late)) why = error;
        this.#shy.delete(who(place));
        this.#shy.set(who(place), this.#host.now() + SHY_MS);
        for (const oldest of this.#shy.keys()) {
          if (this.#shy.size <= SHY_MAX) break;
          this.#shy.delete(oldest);
        }
      }
    }
    throw why;
  }
}

/** Up to `len` bytes of what is at a URL. A server that knows no ranges begins with the whole, which is left when it is enough. */
async function first(fetch: Fetch, url: string, len: number): Promise<Beginning> {
  const controller = new AbortController();
  let [have, late] = [0, false];
  const timer = setTimeout(() => {
    late = true;
    controller.abort();
  }, BEGINNING_MS_MAX);
  const bytes = new Uint8Array(len);
  try {
    // One range from a first byte to a last one may be asked of another host without asking it before (Fetch, 2.2.2).
    const headers = { range: `bytes=0-${len - 1}` };
    // What is played goes first.
    const response = await fetch(url, { headers, credentials: "same-origin", priority: "low", signal: controller.signal });
    if (!response.ok) throw new Error(`it answers ${response.status}`);
    const reader = response.body?.getReader();
    while (have < len) {
      const read = await reader?.read();
      if (read === undefined || read.done) break;
      const some = read.value.subarray(0, len - have);
      bytes.set(some, have);
      have += some.length;
    }
  } catch (error) {
    if (!late) throw error;
  } finally {
    clearTimeout(timer);
    // What is left of the answer isn't wanted.
    controller.abort();
  }
  if (have > 0) return { bytes: bytes.subarray(0, have), late };
  throw late ? new Late() : new Error("it answers nothing");
}

/**
 * The first bytes of a message in clear, of its first bytes encrypted with AES-128-CBC; what is no whole block is left out.
 *
 * Browsers decrypt whole messages only, whose last block says how much of it is padding. So that block is made: one of nothing
 * but padding, chained to the last block there is.
 */
export async function inClear(key: CryptoKey, iv: BufferSource, encrypted: Uint8Array): Promise<Uint8Array> {
  const len = encrypted.length - (encrypted.length % BLOCK_BYTES);
  if (len === 0) return new Uint8Array(0);
  const chain = encrypted.slice(len - BLOCK_BYTES, len);
  const padding = new Uint8Array(await crypto.subtle.encrypt({ name: "AES-CBC", iv: chain }, key, new Uint8Array(0)));
  const message = new Uint8Array(len + padding.length);
  message.set(encrypted.subarray(0, len));
  message.set(padding, len);
  return new Uint8Array(await crypto.subtle.decrypt({ name: "AES-CBC", iv }, key, message));
}

/** A content key as browsers take it, for {@link inClear}. */
export function contentKey(bytes: BufferSource): Promise<CryptoKey> {
  return crypto.subtle.importKey("raw", bytes, "AES-CBC", false, ["encrypt", "decrypt"]);
}
