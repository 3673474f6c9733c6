// Boxes of ISO/IEC 14496-12 for tests, as core's `fmp4` writes them.

const u32 = (value: number): number[] => [24, 16, 8, 0].map((shift) => (value >>> shift) & 0xff);
const zeros = (len: number): number[] => new Array<number>(len).fill(0);
const text = (value: string): number[] => [...value].map((letter) => letter.charCodeAt(0));

export const box = (type: string, ...content: number[][]): number[] => {
  const body = content.flat();
  return [...u32(body.length + 8), ...text(type), ...body];
};
const full = (type: string, flags: number, ...content: number[][]): number[] => box(type, u32(flags), ...content);

/** Of an H.264 track in Main profile, level 3.1. */
export const AVC_RECORD = [1, 0x4d, 0x40, 0x1f, 0xff, 0xe1];

const track = (id: number, entry: number[]): number[] =>
  box("trak", full("tkhd", 7, zeros(8), u32(id), zeros(68)), box("mdia", full("mdhd", 0, zeros(20)), box("minf", box("stbl", full("stsd", 0, u32(1), entry)))));

/** An init segment: sound, and behind it a video track of this entry. */
export const init = (entry: string, record: string, bytes: readonly number[], id = 1): Uint8Array =>
  new Uint8Array([...box("ftyp", text("iso6"), u32(0)), ...box("moov", full("mvhd", 0, zeros(96)), track(2, box("mp4a", zeros(28))), track(id, box(entry, zeros(78), box(record, [...bytes]))))]);

/** What a test may have otherwise. */
export interface Shape {
  /** The length is said once for all samples. */
  same?: boolean;
  /** The first sample needs others. */
  dependent?: boolean;
  /** A box before the `moof`. */
  before?: number[];
}

/** A segment: sound first in the `moof`, and a key frame first in the `mdat`, with so many small pictures behind it. */
export function segment(key: readonly number[], others: number, { same = false, dependent = false, before = [] }: Shape = {}): Uint8Array {
  const pictures = [key.length, ...new Array<number>(others).fill(same ? key.length : 3)];
  const media = pictures.reduce((sum, len) => sum + len, 0);
  const moof = (offset: number) =>
    box(
      "moof",
      full("mfhd", 0, u32(7)),
      box("traf", full("tfhd", 0x2_0010, u32(2), u32(4)), full("tfdt", 0x100_0000, zeros(8)), full("trun", 0x1, u32(2), u32(offset + media))),
      box(
        "traf",
        full("tfhd", 0x2_0008 | (same ? 0x10 : 0), u32(1), u32(3600), same ? u32(key.length) : []),
        full("tfdt", 0x100_0000, zeros(8)),
        full("trun", 0x1 | (dependent ? 0 : 0x4) | (same ? 0 : 0x200), u32(pictures.length), u32(offset), dependent ? [] : u32(0x200_0000), same ? [] : pictures.flatMap(u32)),
      ),
    );
  const head = moof(moof(0).length + 8);
  const mdat = box("mdat", [...key], zeros(media - key.length), zeros(8));
  return new Uint8Array([...box("styp", text("msdh"), u32(0)), ...before, ...head, ...mdat]);
}
