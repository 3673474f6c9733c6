// What a multivariant playlist gives to choose from, and playlists as hls.js shall see them: of the sound alone, and from a place on.
// No I/O, no clock.

import type { Sound } from "./sounds";

/** What there is to choose from. */
export interface Offer {
  /** How high the pictures are, each height once, the best first. */
  readonly heights: readonly number[];
  /** The sounds beside the pictures. */
  readonly sounds: readonly Sound[];
  /** The place of the one that plays by default; -1 where there are none. */
  readonly standard: number;
  /** There are pictures, and sound that plays without them. */
  readonly alone: boolean;
}

export const NOTHING: Offer = { heights: [], sounds: [], standard: -1, alone: false };

const VARIANT = "#EXT-X-STREAM-INF:";
const SOUND = "#EXT-X-MEDIA:TYPE=AUDIO,";
/** Codecs of pictures (RFC 6381) of a channel. */
const PICTURE = /^(?:avc[1-4]|hvc1|hev1|av01|dvh1|dvhe|vp09)\b/;

/** What an attribute list says, by name, without quotes. */
function attributes(line: string): ReadonlyMap<string, string> {
  const list = line.slice(line.indexOf(":") + 1);
  return new Map([...list.matchAll(/([A-Z0-9-]+)=(?:"([^"]*)"|([^",]*))/g)].map(([, name, quoted, plain]) => [name ?? "", quoted ?? plain ?? ""]));
}

interface Variant {
  readonly line: string;
  readonly uri: string;
  readonly said: ReadonlyMap<string, string>;
}

function variants(lines: readonly string[]): Variant[] {
  return lines.flatMap((line, at) => {
    if (!line.startsWith(VARIANT)) return [];
    const uri = lines.slice(at + 1).find((text) => text !== "" && !text.startsWith("#"));
    return uri === undefined ? [] : [{ line, uri, said: attributes(line) }];
  });
}

function isPicture({ said }: Variant): boolean {
  const codecs = said.get("CODECS")?.split(",") ?? [];
  return said.has("RESOLUTION") || codecs.some((codec) => PICTURE.test(codec.trim()));
}

interface Voice {
  readonly sound: Sound;
  readonly standard: boolean;
  /** Where its playlist is; `null` where it is in the pictures' segments. */
  readonly uri: string | null;
}

function voices(lines: readonly string[]): Voice[] {
  return lines.filter((line) => line.startsWith(SOUND)).map((line) => {
    const said = attributes(line);
    const sound = { name: said.get("NAME") ?? "", language: said.get("LANGUAGE") ?? "" };
    return { sound, standard: said.get("DEFAULT") === "YES", uri: said.get("URI") ?? null };
  });
}

/** What a multivariant playlist of one pathway gives to choose from. */
export function offer(playlist: string): Offer {
  const lines = playlist.split("\n");
  const [all, beside] = [variants(lines), voices(lines)];
  const pictures = all.filter(isPicture);
  const heights = pictures.map(({ said }) => Number(said.get("RESOLUTION")?.split("x")[1] ?? Number.NaN)).filter((height) => height > 0);
  const alone = pictures.length > 0 && (pictures.length < all.length || beside.some(({ uri }) => uri !== null));
  return {
    heights: [...new Set(heights)].sort((a, b) => b - a),
    sounds: beside.map(({ sound }) => sound),
    standard: beside.findIndex(({ standard }) => standard),
    alone,
  };
}

/** By what a media playlist is known whichever node its address names: the file's name. */
const file = (address: string): string => (address.split("?")[0] ?? "").split("/").at(-1) ?? "";

const files = (playlist: string): Set<string> => {
  const lines = playlist.split("\n");
  return new Set([...variants(lines).map(({ uri }) => uri), ...voices(lines).flatMap(({ uri }) => uri ?? [])].map(file));
};

/**
 * Whether a multivariant playlist has only less than the one before, and has what plays: the media playlists at these addresses.
 */
export function isLess(playlist: string, before: string, playing: readonly string[]): boolean {
  const [now, then] = [files(playlist), files(before)];
  return now.size < then.size && [...now].every((name) => then.has(name)) && playing.every((address) => now.has(file(address)));
}

/**
 * The same playlist with nothing but sound: the one at `place` of those beside the pictures, or what is a variant by itself. As it
 * was where there is no such sound.
 *
 * hls.js leaves out variants without a picture where there are others with one, so that they must be alone.
 */
export function soundAlone(playlist: string, place: number): string {
  const lines = playlist.split("\n");
  const head = lines.filter((line) => line === "#EXTM3U" || /^#EXT-X-(?:VERSION|INDEPENDENT-SEGMENTS)/.test(line));
  const voice = voices(lines)[place];
  if (voice !== undefined && voice.uri !== null) return [...head, `${VARIANT}BANDWIDTH=${VOICE_BITS}`, voice.uri, ""].join("\n");
  const variant = variants(lines).find((variant) => !isPicture(variant));
  // The group of sounds that it is said to go with is left out.
  return variant === undefined ? playlist : [...head, variant.line.replace(/,AUDIO="[^"]*"/, ""), variant.uri, ""].join("\n");
}

/** What a sound without a variant of its own is said to need, in bits a second: nothing is chosen by it. */
const VOICE_BITS = 128_000;

const DATE = "#EXT-X-PROGRAM-DATE-TIME:";
const LENGTH = "#EXTINF:";

/**
 * A media playlist that says where to begin (EXT-X-START): at this moment of media time, or where that is behind the front or in
 * a hole, at what comes next. As it was where that is not listed yet, and where it says so already.
 */
export function startingAt(playlist: string, at_ms: number): string {
  const lines = playlist.split("\n");
  if (lines.some((line) => line.startsWith("#EXT-X-START:") || line.startsWith("#EXT-X-SKIP:"))) return playlist;
  // Where the segment that is looked at begins: in the list, and in media time.
  let [into_s, date_ms] = [0, Number.NaN];
  for (const line of lines) {
    if (line.startsWith(DATE)) date_ms = Date.parse(line.slice(DATE.length));
    if (!line.startsWith(LENGTH)) continue;
    const length_s = Number.parseFloat(line.slice(LENGTH.length));
    if (!(length_s >= 0) || Number.isNaN(date_ms)) return playlist;
    const further_s = Math.max(0, (at_ms - date_ms) / 1000);
    if (further_s < length_s) {
      const start = `#EXT-X-START:TIME-OFFSET=${(into_s + further_s).toFixed(3)},PRECISE=YES`;
      return [lines[0], start, ...lines.slice(1)].join("\n");
    }
    [into_s, date_ms] = [into_s + length_s, date_ms + length_s * 1000];
  }
  return playlist;
}
