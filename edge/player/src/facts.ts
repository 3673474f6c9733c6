// Facts of a running player for tests and for whoever supports a viewer: `window.railbird`, read-only.

/** The most events and errors kept. */
const KEPT_MAX = 200;

export interface Moment {
  /** What happened: a media event's name, or an error's. */
  what: string;
  /** Milliseconds since the page began. */
  at_ms: number;
  /** Position on the media's own clock, in seconds. */
  media_s: number;
}

/** What only the page can tell at the moment somebody asks. */
export interface Live {
  node(): string | null;
  playingDate(): Date | null;
  latency(): number | null;
  buffered(): number;
  media_s(): number;
}

/** Counts what happens; {@link expose} shows it. */
export class Facts {
  /** `waiting` events since the first picture. */
  waitingEvents = 0;
  /** Stalls that hls.js reported. */
  stalls = 0;
  /** Segments received. */
  segments = 0;
  /** Places that failed for a segment. */
  retries = 0;
  /** Requests of a further node for a segment that was asked for already. */
  hedges = 0;
  /** Changes of the node in use. */
  reroutes = 0;
  /** Jumps to the live position that no viewer asked for. */
  jumps = 0;
  /** Times that the presentation was taken from the beginning, for another choice or because there is something else to choose from. */
  renewals = 0;
  /** Bytes of media, and bytes that came of nothing: of requests that lost or failed. */
  bytes: { readonly media: number; readonly extra: number } = { media: 0, extra: 0 };
  /** The newest errors and `waiting` events. */
  readonly moments: Moment[] = [];

  note(what: string, media_s: number): void {
    this.moments.push({ what, at_ms: Math.round(performance.now()), media_s });
    if (this.moments.length > KEPT_MAX) this.moments.shift();
  }
}

/** Puts a read-only view of the facts where tests and people find it. */
export function expose(facts: Facts, live: Live, channel: string): void {
  const stats = Object.freeze({
    get stalls() {
      return facts.stalls;
    },
    get waitingEvents() {
      return facts.waitingEvents;
    },
    get segments() {
      return facts.segments;
    },
    get retries() {
      return facts.retries;
    },
    get hedges() {
      return facts.hedges;
    },
    get mediaBytes() {
      return facts.bytes.media;
    },
    get extraBytes() {
      return facts.bytes.extra;
    },
    get reroutes() {
      return facts.reroutes;
    },
    get errors() {
      return facts.moments.filter((moment) => moment.what !== "waiting").map((moment) => ({ ...moment }));
    },
    get moments() {
      return facts.moments.map((moment) => ({ ...moment }));
    },
    get jumps() {
      return facts.jumps;
    },
    get renewals() {
      return facts.renewals;
    },
    get node() {
      return live.node();
    },
    get playingDate() {
      return live.playingDate()?.toISOString() ?? null;
    },
    get latency() {
      return live.latency();
    },
    get buffered() {
      return live.buffered();
    },
    get mediaTime() {
      return live.media_s();
    },
  });
  Object.defineProperty(window, "railbird", { value: Object.freeze({ channel, stats }), enumerable: true });
}
