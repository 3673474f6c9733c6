// What this viewer saw of the nodes, told to the edge: CMCD v2 (CTA-5004-B) in event mode, one line for each response.
// Nothing of the picture depends on it.

import type { Answer } from "./race";

/** The media type of a post. */
export const CONTENT_TYPE = "application/cmcd";
/** The share of segments that came well of which the edge hears. Of what failed it hears always. */
export const SAMPLE = 0.25;
/** The most lines and bytes of a post, and the most lines that wait for one; the oldest go. */
export const LINES_MAX = 64;
export const POST_BYTES_MAX = 16 << 10;
/** The longest line, in bytes. */
const LINE_BYTES_MAX = 1_024;
/** Between two posts, in milliseconds. */
export const EVERY_MS = 5_000;
/** After a failure, in milliseconds: so long to see what else fails, and at least so long since the last post. */
export const URGENT_MS = 250;
export const URGENT_EVERY_MS = 1_000;
/** After an edge that takes no beacons, or no edge, in milliseconds. */
export const REFUSED_MS = 60_000;

/** A response as CMCD says it; `null` for one of a URL that can't be said. `origin_ms`: when the page's clock began, since 1970. */
export function line({ place, right, status, began_ms, first_ms, last_ms }: Answer, origin_ms: number): string | null {
  let url: string;
  try {
    const parsed = new URL(place.url);
    // A query may hold a node's secret.
    url = parsed.origin + parsed.pathname;
  } catch {
    return null;
  }
  const times = [["ttfb", first_ms], ["ttlb", right ? last_ms : null]] as const;
  const told = times.flatMap(([key, ms]) => (ms === null ? [] : [`${key}=${Math.round(ms)}`]));
  const quoted = `"${url.replace(/[\\"]/g, (c) => `\\${c}`)}"`;
  const text = [`e=rr`, `rc=${status ?? 0}`, `ts=${Math.round(origin_ms + began_ms)}`, ...told, `url=${quoted}`, "v=2"].join(",");
  // An URL's own text is ASCII.
  return text.length > LINE_BYTES_MAX ? null : text;
}

/** What waits to be told, and when it is. No I/O, no clock. */
export class Beacons {
  #lines: string[] = [];
  #posted_ms = Number.NEGATIVE_INFINITY;
  /** When the first line came that waits. */
  #since_ms = 0;
  /** When the first failure came that waits. */
  #urgent_ms: number | null = null;
  #quiet_until_ms = Number.NEGATIVE_INFINITY;
  #random: () => number;
  #origin_ms: number;

  /** `origin_ms`: when the page's clock began, in milliseconds since 1970. */
  constructor(origin_ms: number, random: () => number) {
    this.#origin_ms = origin_ms;
    this.#random = random;
  }

  add(answer: Answer, now_ms: number): void {
    if (now_ms < this.#quiet_until_ms || (answer.right && this.#random() >= SAMPLE)) return;
    const text = line(answer, this.#origin_ms);
    if (text === null) return;
    if (this.#lines.length === 0) this.#since_ms = now_ms;
    if (!answer.right) this.#urgent_ms ??= now_ms;
    this.#lines.push(text);
    if (this.#lines.length > LINES_MAX) this.#lines.shift();
  }

  /** When the next post is due; `null`: nothing waits. */
  due(): number | null {
    if (this.#lines.length === 0) return null;
    const usual_ms = Math.max(this.#posted_ms, this.#since_ms) + EVERY_MS;
    const urgent_ms = this.#urgent_ms === null ? usual_ms : Math.max(this.#urgent_ms + URGENT_MS, this.#posted_ms + URGENT_EVERY_MS);
    return Math.min(usual_ms, urgent_ms);
  }

  /** The body of a post, and nothing waits any more but what found no room; `null`: there is nothing to tell. */
  take(now_ms: number): string | null {
    if (this.#lines.length === 0) return null;
    let body = "";
    while (this.#lines[0] !== undefined && body.length + this.#lines[0].length < POST_BYTES_MAX) body += `${this.#lines.shift()}\n`;
    this.#posted_ms = now_ms;
    this.#since_ms = now_ms;
    this.#urgent_ms = null;
    return body;
  }

  /** The edge takes none at the moment. */
  refused(now_ms: number): void {
    this.#lines = [];
    this.#urgent_ms = null;
    this.#quiet_until_ms = now_ms + REFUSED_MS;
  }
}

/** Tells the edge for as long as the page is open. Gives who takes the answers. */
export function tell(channel: string): (answer: Answer) => void {
  const path = `/live/${encodeURIComponent(channel)}/beacons`;
  const beacons = new Beacons(performance.timeOrigin, Math.random);
  let timer: ReturnType<typeof setTimeout> | undefined;
  const plan = () => {
    clearTimeout(timer);
    const due_ms = beacons.due();
    if (due_ms !== null) timer = setTimeout(() => void post(), Math.max(0, due_ms - performance.now()));
  };
  const post = async () => {
    const body = beacons.take(performance.now());
    if (body === null) return;
    const init = { method: "POST", headers: { "content-type": CONTENT_TYPE }, body, signal: AbortSignal.timeout(EVERY_MS) };
    const taken = await fetch(path, { ...init, credentials: "same-origin", keepalive: true }).then(
      ({ ok }) => ok,
      () => false,
    );
    if (!taken) beacons.refused(performance.now());
    plan();
  };
  addEventListener("pagehide", () => {
    const body = beacons.take(performance.now());
    if (body !== null) navigator.sendBeacon(path, new Blob([body], { type: CONTENT_TYPE }));
  });
  return (answer) => {
    beacons.add(answer, performance.now());
    plan();
  };
}
