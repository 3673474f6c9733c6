// What is to be seen at a moment: the key frame with which the segment that lies there begins, small, for the seek bar.
//
// It is read from the segment itself, of whose object no more is asked for than its beginning. So there are such pictures wherever
// there is something to play, live or of a recording, on every node that has the segment, and for whom the edge gives the key.

import { type Beginnings, contentKey, inClear } from "./beginning";
import { BEGINNING_BYTES_MAX, coding, type Coding, keyFrame } from "./keyframe";
import type { Place } from "./nodes";

/** How much of a segment is asked for first, in bytes; later on as much as the largest key frame so far took, and a quarter more. */
const FIRST_BYTES = 96 << 10;
/** The most bytes of an init segment. */
const INIT_BYTES_MAX = 64 << 10;
/** The most init segments, and the most keys, that are kept. */
const KEPT_MAX = 64;
/** The most places of what is listed that have pictures of their own: there, a pointer can hardly tell more of them apart. */
export const PLACES_MAX = 160;
/** How much a block has, in bytes. */
const BLOCK_BYTES = 16;

/** A segment as a playlist has it. */
export interface Sight {
  /** The addresses of segment and init segment in the playlist. */
  url: string;
  init: string;
  /** The key's address, and the IV; `null` for media in clear. */
  key: { url: string; iv: BufferSource } | null;
  /** As in `CODECS`, of the pictures. */
  codec: string;
}

/** What hls.js knows of a segment, as far as it is needed here. */
export interface Listed {
  url: string;
  /** Its number, which it keeps while the window moves on. */
  sn: number;
  start: number;
  duration: number;
  gap?: boolean;
  initSegment: { url: string } | null;
  decryptdata: { method: string; uri: string; iv: Uint8Array<ArrayBuffer> | null } | null;
}

/**
 * What is to be seen at a moment, in seconds of the video's clock: the segment in which it lies, or, of more segments than places,
 * the middle one of its place. `null` in a hole.
 */
export function sightAt(listed: readonly Listed[], at_s: number, codec: string): Sight | null {
  // Half of what may hold it is left out each time: there may be thousands, and a pointer moves fast.
  let [from, to] = [0, listed.length];
  while (to - from > 1) {
    const middle = (from + to) >> 1;
    if ((listed[middle]?.start ?? Number.POSITIVE_INFINITY) <= at_s) from = middle;
    else to = middle;
  }
  const found = listed[from];
  if (found === undefined || at_s < found.start || at_s > found.start + found.duration) return null;
  const own = seen(found, codec);
  if (own === null) return null;
  const each = Math.ceil(listed.length / PLACES_MAX);
  // Counted by numbers, places stay where they are while the window moves on.
  const middle = from - (found.sn % each) + (each >> 1);
  const common = listed[Math.min(Math.max(middle, 0), listed.length - 1)];
  return (common === undefined ? null : seen(common, codec)) ?? own;
}

function seen({ url, gap, initSegment, decryptdata }: Listed, codec: string): Sight | null {
  if (gap === true || initSegment === null) return null;
  if (decryptdata === null) return { url, init: initSegment.url, key: null, codec };
  const { method, uri, iv } = decryptdata;
  if (method !== "AES-128" || iv === null) return null;
  return { url, init: initSegment.url, key: { url: uri, iv }, codec };
}

/** A picture as its decoder takes it. */
export interface Still {
  codec: string;
  description: Uint8Array | null;
  bytes: Uint8Array;
}

/** What is needed of the page. */
export interface Source {
  beginnings: Beginnings;
  /** Where an object may be asked for, the best place first. */
  places(url: string): readonly Place[];
  /** The key's bytes, of the edge. */
  key(url: string): Promise<ArrayBuffer>;
}

/** Keeps what was asked for by name, the newest. What failed is forgotten. */
class Kept<T> {
  #kept = new Map<string, Promise<T>>();

  get(name: string, ask: () => Promise<T>): Promise<T> {
    const known = this.#kept.get(name);
    if (known !== undefined) return known;
    const asked = ask();
    this.#kept.set(name, asked);
    asked.catch(() => this.#kept.delete(name));
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size <= KEPT_MAX) break;
      this.#kept.delete(oldest);
    }
    return asked;
  }
}

/** Reads the key frames of segments. */
export class Sights {
  #source: Source;
  #codings = new Kept<Coding | null>();
  #keys = new Kept<CryptoKey>();
  #usual = FIRST_BYTES;

  constructor(source: Source) {
    this.#source = source;
  }

  /** The key frame of a segment; `null` where it has none. Fails where it can't be read. */
  async still(sight: Sight): Promise<Still | null> {
    const of = await this.#codings.get(sight.init, async () => coding(await this.#read(sight.init, INIT_BYTES_MAX)));
    if (of === null) return null;
    let len = this.#usual;
    // Once for where the key frame ends, and once for all of it.
    for (let round = 0; round < 3; round += 1) {
      const found = keyFrame(await this.#clear(sight, len), of.track);
      if (found.what === "nothing") return null;
      if (found.what === "frame") {
        const bytes = new Uint8Array(of.lead.length + found.bytes.length);
        bytes.set(of.lead);
        bytes.set(found.bytes, of.lead.length);
        return { codec: of.codec || sight.codec, description: of.description, bytes };
      }
      if (found.len <= len) return null;
      len = whole(found.len);
      this.#usual = Math.max(this.#usual, Math.min(whole(len * 1.25), BEGINNING_BYTES_MAX));
    }
    return null;
  }

  async #clear({ url, key }: Sight, len: number): Promise<Uint8Array> {
    if (key === null) return this.#read(url, len);
    const [bytes, known] = await Promise.all([this.#read(url, len), this.#keys.get(key.url, async () => contentKey(await this.#source.key(key.url)))]);
    return inClear(known, key.iv, bytes);
  }

  #read(url: string, len: number): Promise<Uint8Array> {
    return this.#source.beginnings.read(this.#source.places(url), len);
  }
}

/** So many bytes, and those of the block that they end in, and of one more: what ends there is in clear. */
function whole(len: number): number {
  return (Math.ceil(len / BLOCK_BYTES) + 1) * BLOCK_BYTES;
}
