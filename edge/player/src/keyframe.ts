// The key frame with which a segment begins, and what a decoder must know of it: the boxes of an init segment and of the first
// bytes of a segment (ISO/IEC 14496-12). No I/O.

/** The largest key frame that is looked for, with all that stands before it, in bytes. */
export const BEGINNING_BYTES_MAX = 4 << 20;
/** The most boxes beside each other that are looked at. */
const BOXES_MAX = 64;

/** `sample_is_non_sync_sample` (8.8.3.1). */
const NOT_SYNC = 0x1_0000;

/** How the pictures of an init segment's video track are coded. */
export interface Coding {
  track: number;
  /** As in `CODECS` (RFC 6381); empty where only the playlist knows. */
  codec: string;
  /** The decoder's configuration record; `null` where there is none outside of the pictures. */
  description: Uint8Array | null;
  /** What stands before a key frame's own bytes. */
  lead: Uint8Array;
}

/** What the first bytes of a segment say of its key frame. */
export type Found =
  | { what: "frame"; bytes: Uint8Array }
  /** So many bytes of the segment are needed. */
  | { what: "more"; len: number }
  /** It begins with no key frame, or these are not its bytes. */
  | { what: "nothing" };

interface Box {
  type: string;
  /** Where it starts, where its content does, and where it ends; that may be behind the bytes there are. */
  from: number;
  at: number;
  end: number;
}

const NOTHING: Found = { what: "nothing" };
const EMPTY = new Uint8Array(0);

class Reader {
  readonly bytes: Uint8Array;
  #view: DataView;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** A number of four bytes; `null` behind the end. */
  u32(at: number): number | null {
    return at >= 0 && at + 4 <= this.bytes.length ? this.#view.getUint32(at) : null;
  }

  /** The box that starts here; `null` where its head is not there, or says what can't be. */
  box(from: number): Box | null {
    const size = this.u32(from);
    const type = this.u32(from + 4) === null ? null : String.fromCharCode(...this.bytes.subarray(from + 4, from + 8));
    if (size === null || type === null) return null;
    // Nor does one that goes on to the end (size 0) leave room for what is looked for.
    if (size !== 1) return size < 8 ? null : { type, from, at: from + 8, end: from + size };
    // What needs more than 32 bits is no box of a beginning.
    const [high, low] = [this.u32(from + 8), this.u32(from + 12)];
    return high !== 0 || low === null || low < 16 ? null : { type, from, at: from + 16, end: from + low };
  }

  /** The boxes within a stretch; those that leave it are none. */
  *boxes(from: number, to: number): Generator<Box> {
    for (let n = 0; n < BOXES_MAX && from < to; n += 1) {
      const box = this.box(from);
      if (box === null || box.end > to || box.end > this.bytes.length) return;
      yield box;
      from = box.end;
    }
  }

  /** The first box along a path of types. */
  find(path: readonly string[], from: number, to: number): Box | null {
    const [first, ...rest] = path;
    for (const box of this.boxes(from, to)) {
      if (box.type === first) return rest.length === 0 ? box : this.find(rest, box.at, box.end);
    }
    return null;
  }
}

/** The length of a visual sample entry before its boxes (12.1.3.2). */
const VISUAL_ENTRY_LEN = 78;
const RECORDS: Readonly<Record<string, string>> = { avc1: "avcC", avc3: "avcC", hvc1: "hvcC", hev1: "hvcC", av01: "av1C" };

/** The coding of an init segment's first video track; `null` where there is none that is known. */
export function coding(init: Uint8Array): Coding | null {
  const reader = new Reader(init);
  const movie = reader.find(["moov"], 0, init.length);
  if (movie === null) return null;
  for (const track of reader.boxes(movie.at, movie.end)) {
    if (track.type !== "trak") continue;
    const header = reader.find(["tkhd"], track.at, track.end);
    const entries = reader.find(["mdia", "minf", "stbl", "stsd"], track.at, track.end);
    if (header === null || entries === null) continue;
    const id = reader.u32(header.at + (init[header.at] === 1 ? 20 : 12));
    const entry = reader.box(entries.at + 8);
    const name = entry === null ? undefined : RECORDS[entry.type];
    if (id === null || entry === null || name === undefined || entry.end > entries.end) continue;
    const box = reader.find([name], entry.at + VISUAL_ENTRY_LEN, entry.end);
    if (box === null) continue;
    const record = init.slice(box.at, box.end);
    // Of AV1, decoders take no record: what it holds comes before the picture (AV1 in ISOBMFF, 2.3).
    if (name === "av1C") return { track: id, codec: "", description: null, lead: record.subarray(4) };
    return { track: id, codec: name === "avcC" ? avc(entry.type, record) : "", description: record, lead: EMPTY };
  }
  return null;
}

/** Profile, compatibility and level (RFC 6381, 3.3). */
function avc(entry: string, record: Uint8Array): string {
  return `${entry}.${[...record.subarray(1, 4)].map((byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}

/** Finds the key frame of a track in the first bytes of a segment, which are in clear. */
export function keyFrame(bytes: Uint8Array, track: number): Found {
  const reader = new Reader(bytes);
  const more = (len: number): Found => (len > BEGINNING_BYTES_MAX ? NOTHING : { what: "more", len });
  let from = 0;
  for (let n = 0; n < BOXES_MAX; n += 1) {
    if (from + 16 > bytes.length) return more(from + 16);
    const box = reader.box(from);
    if (box === null || box.type === "mdat") return NOTHING;
    if (box.end > bytes.length) return more(box.end);
    if (box.type === "moof") {
      const place = firstSample(reader, box, track);
      if (place === null || place.end > BEGINNING_BYTES_MAX) return NOTHING;
      return place.end > bytes.length ? more(place.end) : { what: "frame", bytes: bytes.subarray(place.at, place.end) };
    }
    from = box.end;
  }
  return NOTHING;
}

/** Where the first sample of a track lies, if it can be decoded by itself (8.8.7, 8.8.8). */
function firstSample(reader: Reader, moof: Box, track: number): { at: number; end: number } | null {
  for (const fragment of reader.boxes(moof.at, moof.end)) {
    if (fragment.type !== "traf") continue;
    const header = reader.find(["tfhd"], fragment.at, fragment.end);
    const run = reader.find(["trun"], fragment.at, fragment.end);
    if (header === null || run === null || reader.u32(header.at + 4) !== track) continue;
    const usual = fields(reader, header.at, header.at + 8, [0x1, 0x1, 0x2, 0x8, 0x10, 0x20]);
    const said = fields(reader, run.at, run.at + 8, [0x1, 0x4, 0x100, 0x200, 0x400]);
    const [offset, count] = [said.get(0x1), reader.u32(run.at + 4)];
    const size = said.get(0x200) ?? usual.get(0x10);
    const flags = said.get(0x4) ?? said.get(0x400) ?? usual.get(0x20) ?? NOT_SYNC;
    if (offset === undefined || size === undefined || count === null || count === 0 || size === 0 || (flags & NOT_SYNC) !== 0) return null;
    const at = moof.from + offset;
    return at < moof.end ? null : { at, end: at + size };
  }
  return null;
}

/** The optional fields of four bytes that a full box's flags say are there, in their order; a flag that is named twice has eight. */
function fields(reader: Reader, flags_at: number, from: number, order: readonly number[]): Map<number, number> {
  const flags = (reader.u32(flags_at) ?? 0) & 0xff_ffff;
  const found = new Map<number, number>();
  for (const flag of order) {
    if ((flags & flag) === 0) continue;
    const value = reader.u32(from);
    if (value !== null) found.set(flag, value);
    from += 4;
  }
  return found;
}
