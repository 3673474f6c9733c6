// Gives every object of a channel one URL for hls.js, whichever node the edge points to at the moment.
//
// The edge moves a segment's URL to another node when a node dies. hls.js compares a playlist with the one before it and
// refuses it ("media sequence mismatch") when a segment's URL has changed. So playlists are rewritten before hls.js reads
// them: `{node}/{name}` becomes `{OBJECT_BASE}/{name}`, and the segment loader turns the name back into places to ask.

/** Stands for all nodes; no host of this name can exist (RFC 2606). */
export const OBJECT_BASE = "https://object.invalid";
/** The most objects whose place is remembered: more than twelve hours of them; the oldest are forgotten. */
export const OBJECTS_MAX = 32_768;

/** The line before a variant's URI, the pathway that it names, and the group of sounds that goes with it. */
const VARIANT = /^#EXT-X-STREAM-INF:/;
const PATHWAY = /[:,]PATHWAY-ID="([^"]*)"/;
const SOUNDS = /[:,]AUDIO="([^"]*)"/;
/** A sound that goes with variants, and its group. */
const SOUND = /^#EXT-X-MEDIA:TYPE=AUDIO,/;
const GROUP = /[:,]GROUP-ID="([^"]*)"/;

/** Whether a playlist names others, and no segments. */
export const isMultivariant = (playlist: string): boolean => /^#EXT-X-STREAM-INF:/m.test(playlist);

/**
 * A multivariant playlist with its first pathway only, and without steering.
 *
 * The edge's media playlists name a live node whichever pathway they are for, and the segment loader asks the others, so
 * that nothing is gained by a change of pathway. hls.js 1.7 loses by it: a segment that is under way at that moment is
 * dropped and then taken for a gap ("Found no media"), and the picture stands still.
 */
export function onePathway(playlist: string): string {
  let first: string | null = null;
  let skipped = false;
  const kept = playlist.split("\n").filter((line) => {
    if (line.startsWith("#EXT-X-CONTENT-STEERING:")) return false;
    if (VARIANT.test(line)) {
      const pathway = PATHWAY.exec(line)?.[1] ?? "";
      first ??= pathway;
      skipped = pathway !== first;
      return !skipped;
    }
    // The variant's URI is the next line that is no tag.
    const own = skipped && line !== "" && !line.startsWith("#");
    if (own) skipped = false;
    return !own;
  });
  // Each pathway has its own group of sounds.
  const groups = kept.flatMap((line) => (VARIANT.test(line) ? [SOUNDS.exec(line)?.[1] ?? ""] : []));
  const used = (line: string) => !SOUND.test(line) || groups.includes(GROUP.exec(line)?.[1] ?? "");
  return kept.filter(used).join("\n");
}

/**
 * A multivariant playlist whose media playlists name parts at nodes, also where the channel names them at the edge: the segment
 * loader goes to nodes by itself. Playlists without parts are the same either way.
 */
export function partsAtNodes(playlist: string): string {
  let variant = false;
  const line = (text: string): string => {
    if (VARIANT.test(text)) variant = true;
    if (!variant || text === "" || text.startsWith("#")) return text;
    variant = false;
    return `${text}${text.includes("?") ? "&" : "?"}parts=nodes`;
  };
  return playlist.split("\n").map(line).join("\n");
}

/** An object that hls.js asks for. */
export interface Wanted {
  /** Its name at every node; `null` where the URL isn't one of an object. */
  name: string | null;
  /** Where the edge's newest playlist says it is; `null` where that is forgotten. */
  url: string | null;
}

/** The objects of one channel, and where the edge says they are. */
export class Objects {
  #pattern: RegExp;
  #urls = new Map<string, string>();

  constructor(channel: string) {
    // An object's name is {channel}/{rendition}/{file}, a part's has _parts/ before it; an identifier needs no escaping in a
    // pattern.
    const name = `(?:_parts/)?${channel}/[a-z0-9-]+/[A-Za-z0-9._-]+`;
    this.#pattern = new RegExp(`https?://[^\\s",]+?/(${name})(?:\\?[^\\s",]*)?(?=[\\s",]|$)`, "g");
  }

  /** A media playlist as hls.js shall see it. */
  rewrite(playlist: string): string {
    return playlist.replace(this.#pattern, (url: string, name: string) => {
      this.#urls.delete(name);
      this.#urls.set(name, url);
      for (const oldest of this.#urls.keys()) {
        if (this.#urls.size <= OBJECTS_MAX) break;
        this.#urls.delete(oldest);
      }
      return `${OBJECT_BASE}/${name}`;
    });
  }

  /** What a URL in a rewritten playlist asks for. */
  find(url: string): Wanted {
    if (!url.startsWith(`${OBJECT_BASE}/`)) return { name: null, url };
    const name = url.slice(OBJECT_BASE.length + 1);
    return { name, url: this.#urls.get(name) ?? null };
  }
}
