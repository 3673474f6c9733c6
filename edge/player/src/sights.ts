// What is to be seen at a moment: the key frame with which the segment that lies there begins, small, for the seek bar.
//
// It is read from the segment itself, of whose object no more is asked for than its beginning. So there are such pictures wherever
// there is something to play, live or of a recording, on every node that has the segment, and for whom the edge gives the key.

import { type Beginning, type Beginnings, contentKey, inClear, Late } from "./beginning";
import { coding, type Coding, keyFrame } from "./keyframe";
import type { Place } from "./nodes";

/** How much of a segment is asked for first, in bytes; later on as much as the key frame before took, and a quarter more. */
export const FIRST_BYTES = 96 << 10;
/** The least and the most of that: behind a picture of one colour there may be another, and behind a large one a small one. */
export const USUAL_BYTES_MIN = 16 << 10;
export const USUAL_BYTES_MAX = 512 << 10;
/** After a beginning that took all its time, or a key that was refused, nothing is asked for, for so many milliseconds. */
export const PAUSE_MS = 30_000;
/** The most bytes of an init segment. */
const INIT_BYTES_MAX = 64 << 10;
/** The most init segments that are kept. */
const INITS_MAX = 64;
/** The most keys: of some hours, where each is good for a minute. */
export const KEYS_MAX = 512;
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

/** The codec of a rendition's pictures, empty where no playlist says; `null` where it is known to have sound only. */
export function pictureCodec({ videoCodec, audioCodec }: { videoCodec?: string | undefined; audioCodec?: string | undefined }): string | null {
  return videoCodec ?? (audioCodec === undefined ? "" : null);
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
  /** Whether pictures that are coded so can be drawn. */
  draws(codec: string, description: Uint8Array | null): Promise<boolean>;
  now(): number;
}

/** Keeps what was asked for by name, the newest. What failed is forgotten. */
class Kept<T> {
  #kept = new Map<string, Promise<T>>();
  #most: number;

  constructor(most: number) {
    this.#most = most;
  }

  get(name: string, ask: () => Promise<T>): Promise<T> {
    const known = this.#kept.get(name);
    if (known !== undefined) return known;
    const asked = ask();
    this.#kept.set(name, asked);
    asked.catch(() => this.#kept.delete(name));
    for (const oldest of this.#kept.keys()) {
      if (this.#kept.size <= this.#most) break;
      this.#kept.delete(oldest);
    }
    return asked;
  }
}

/** Reads the key frames of segments. What can come to nothing only is not asked for. */
export class Sights {
  #source: Source;
  #codings = new Kept<Coding | null>(INITS_MAX);
  #keys = new Kept<CryptoKey>(KEYS_MAX);
  /** Init segments whose pictures can't be drawn, if there are any; the newest. */
  #blank = new Set<string>();
  #usual = { init: "", len: FIRST_BYTES };
  #paused_ms = Number.NEGATIVE_INFINITY;

  constructor(source: Source) {
    this.#source = source;
  }

  /** Whether there may be a picture of a segment, as far as is known without asking. */
  may(sight: Sight): boolean {
    return !this.#blank.has(sight.init) && this.#source.now() >= this.#paused_ms;
  }

  /** The key frame of a segment; `null` where it has none that can be drawn. Fails where it can't be read now. */
  async still(sight: Sight): Promise<Still | null> {
    if (this.#blank.has(sight.init)) return null;
    if (!this.may(sight)) throw new Error("no picture is made for now");
    const of = await this.#codings.get(sight.init, () => this.#coding(sight.init));
    const codec = of?.codec || sight.codec;
    if (of === null || !(await this.#source.draws(codec, of.description))) {
      this.#blank.add(sight.init);
      for (const oldest of this.#blank) {
        if (this.#blank.size <= INITS_MAX) break;
        this.#blank.delete(oldest);
      }
      return null;
    }
    const { key } = sight;
    // Before what a node is paid for: for whom the edge gives no key, that would be for nothing.
    const known = key === null ? null : await this.#keys.get(key.url, () => this.#key(key.url));
    let len = this.#usual.init === sight.init ? this.#usual.len : FIRST_BYTES;
    // Once for where the key frame ends, and once for all of it.
    for (let round = 0; round < 3; round += 1) {
      const { bytes: got, late } = await this.#read(sight.url, len);
      const clear = key === null || known === null ? got : await inClear(known, key.iv, got);
      const found = keyFrame(clear, of.track);
      if (found.what === "frame") {
        const end = found.bytes.byteOffset - clear.byteOffset + found.bytes.length;
        this.#usual = { init: sight.init, len: whole(Math.min(Math.max(end * 1.25, USUAL_BYTES_MIN), USUAL_BYTES_MAX)) };
        const bytes = new Uint8Array(of.lead.length + found.bytes.length);
        bytes.set(of.lead);
        bytes.set(found.bytes, of.lead.length);
        return { codec, description: of.description, bytes };
      }
      if (found.what === "nothing") return null;
      if (late) throw new Late();
      if (found.len <= len) return null;
      len = whole(found.len);
    }
    return null;
  }

  async #coding(url: string): Promise<Coding | null> {
    const { bytes, late } = await this.#read(url, INIT_BYTES_MAX);
    const found = coding(bytes);
    // Of what is not all there, it can't be said that it has none.
    if (found === null && late) throw new Late();
    return found;
  }

  async #key(url: string): Promise<CryptoKey> {
    try {
      return await contentKey(await this.#source.key(url));
    } catch (error) {
      this.#pause();
      throw error;
    }
  }

  async #read(url: string, len: number): Promise<Beginning> {
    try {
      const beginning = await this.#source.beginnings.read(this.#source.places(url), len);
      // Even where it is enough: the line has other things to carry.
      if (beginning.late) this.#pause();
      return beginning;
    } catch (error) {
      if (error instanceof Late) this.#pause();
      throw error;
    }
  }

  #pause(): void {
    this.#paused_ms = this.#source.now() + PAUSE_MS;
  }
}

/** So many bytes, and those of the block that they end in, and of one more: what ends there is in clear. */
function whole(len: number): number {
  return (Math.ceil(len / BLOCK_BYTES) + 1) * BLOCK_BYTES;
}
