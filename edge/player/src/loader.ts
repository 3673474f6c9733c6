// Loads a segment from whichever node answers: when one refuses, breaks off or stays silent, the same object is asked for
// at the next at once, and hls.js never learns of it.

import type {
  FragmentLoaderConstructor,
  FragmentLoaderContext,
  HlsConfig,
  Loader,
  LoaderCallbacks,
  LoaderConfiguration,
  LoaderContext,
  LoaderStats,
  NullableNetworkDetails,
  PlaylistLoaderConstructor,
} from "hls.js";
import type { NodeBook, Place } from "./nodes";
import { type Objects, onePathway, type Wanted } from "./objects";

/** How long a place may send no byte before the next is asked, in milliseconds: the first time, and later. */
export const SILENCE_MS_MAX = 2_500;
export const SILENCE_LATER_MS_MAX = 5_000;
/** The pause before a place is asked again, in milliseconds: so much and up to as much again, by chance. */
export const PAUSE_MS = 400;

/** What a loader tells the page. */
export interface Watcher {
  /** An object came from this node (`null`: from no node that we know). */
  served(node: string | null): void;
  /** A place failed: the HTTP status, 0 for no connection, `null` for silence. */
  failed(place: Place, status: number | null): void;
  /** No place had it: hls.js is told. */
  exhausted(): void;
}

/** hls.js' own loader, as a class. */
export type InnerLoader = new (config: HlsConfig) => Loader<LoaderContext>;

type Callbacks = LoaderCallbacks<FragmentLoaderContext>;

/** Statuses that speak of the object, not of the node. */
const MISSING = new Set([404, 410]);

/** The same as hls.js' own `LoadStats`, which it doesn't export. */
function freshStats(): LoaderStats {
  return {
    aborted: false,
    loaded: 0,
    retry: 0,
    total: 0,
    chunkCount: 0,
    bwEstimate: 0,
    loading: { start: 0, first: 0, end: 0 },
    parsing: { start: 0, end: 0 },
    buffering: { start: 0, first: 0, end: 0 },
  };
}

/** Makes the class for hls.js' `fLoader`. */
export function fragmentLoader(
  book: NodeBook,
  objects: Objects,
  watcher: Watcher,
  Inner: InnerLoader,
  now: () => number = () => performance.now(),
  random: () => number = Math.random,
): FragmentLoaderConstructor {
  return class implements Loader<FragmentLoaderContext> {
    context: FragmentLoaderContext | null = null;
    // hls.js keeps this very object as the fragment's statistics and reads it while loading: each try writes into it.
    stats: LoaderStats = freshStats();
    #hls: HlsConfig;
    #inner: Loader<LoaderContext> | null = null;
    #config: LoaderConfiguration | null = null;
    #callbacks: Callbacks | null = null;
    #wanted: Wanted = { name: null, url: null };
    #tries = new Map<string, number>();
    #timer: ReturnType<typeof setTimeout> | undefined;

    constructor(config: HlsConfig) {
      this.#hls = config;
    }

    load(context: FragmentLoaderContext, config: LoaderConfiguration, callbacks: Callbacks): void {
      if (this.context !== null) throw new Error("a loader loads once");
      this.context = context;
      this.#config = config;
      this.#callbacks = callbacks;
      this.#wanted = objects.find(context.url);
      this.#onward({ code: 0, text: "no node is known" }, null);
    }

    abort(): void {
      const callbacks = this.#callbacks;
      this.#stop();
      if (callbacks === null || this.context === null) return;
      this.stats.aborted = true;
      callbacks.onAbort?.(this.stats, this.context, null);
    }

    destroy(): void {
      if (this.#callbacks !== null) this.stats.aborted = true;
      this.#stop();
      this.context = null;
    }

    getCacheAge(): number | null {
      return this.#inner?.getCacheAge?.() ?? null;
    }

    getResponseHeader(name: string): string | null {
      return this.#inner?.getResponseHeader?.(name) ?? null;
    }

    #ask(place: Place): void {
      const [context, config, callbacks] = [this.context, this.#config, this.#callbacks];
      if (context === null || config === null || callbacks === null) return;
      const tried = this.#tries.get(place.url) ?? 0;
      this.#tries.set(place.url, tried + 1);
      this.#rewind();

      const inner = new Inner(this.#hls);
      this.#inner = inner;
      inner.stats = this.stats;
      // hls.js would count the time to the first byte only; the silence watch below covers the whole body.
      const { maxLoadTimeMs } = config.loadPolicy;
      const policy = { maxTimeToFirstByteMs: maxLoadTimeMs, maxLoadTimeMs, timeoutRetry: null, errorRetry: null };
      const mine = (then: () => void) => {
        if (this.#inner === inner && this.#callbacks !== null) then();
      };
      const own: LoaderCallbacks<LoaderContext> = {
        onSuccess: (response, stats, _context, details) =>
          mine(() => {
            clearTimeout(this.#timer);
            this.#callbacks = null;
            if (place.node !== null) book.served(place.node);
            watcher.served(place.node);
            callbacks.onSuccess(response, stats, context, details);
          }),
        onError: (error, _context, details) => mine(() => this.#failed(place, error, details)),
        onTimeout: (_stats, _context, details) => mine(() => this.#failed(place, null, details)),
      };
      const onProgress = callbacks.onProgress;
      if (onProgress) own.onProgress = (stats, _, data, details) => mine(() => onProgress(stats, context, data, details));
      this.#listen(place, tried === 0 ? SILENCE_MS_MAX : SILENCE_LATER_MS_MAX, 0);
      inner.load({ ...context, url: place.url }, { ...config, loadPolicy: policy, timeout: maxLoadTimeMs }, own);
    }

    /** Gives a place up when `patience_ms` pass without a further byte. */
    #listen(place: Place, patience_ms: number, loaded: number): void {
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => {
        if (this.stats.loaded > loaded) this.#listen(place, patience_ms, this.stats.loaded);
        else this.#failed(place, null, null);
      }, patience_ms);
    }

    #failed(place: Place, error: { code: number; text: string } | null, details: NullableNetworkDetails): void {
      if (this.#callbacks === null) return;
      this.#drop();
      const status = error === null ? null : error.code;
      if (place.node !== null && !(status !== null && MISSING.has(status))) book.failed(place.node, now());
      watcher.failed(place, status);
      this.#onward(error, details);
    }

    /** Asks the next place; where all are used up, hls.js gets the last one's `error` (`null`: a time-out). */
    #onward(error: { code: number; text: string } | null, details: NullableNetworkDetails): void {
      const [context, callbacks] = [this.context, this.#callbacks];
      if (context === null || callbacks === null) return;
      const next = book.next(this.#wanted, this.#tries, now());
      if (next !== null) {
        // Another node is asked at once. Where all refused, all viewers' players are at it together.
        if (this.#tries.has(next.url)) this.#timer = setTimeout(() => this.#ask(next), PAUSE_MS * (1 + random()));
        else this.#ask(next);
        return;
      }
      this.#callbacks = null;
      watcher.exhausted();
      if (error === null) callbacks.onTimeout(this.stats, context, details);
      else callbacks.onError(error, context, details, this.stats);
    }

    /** Back to how statistics are before a load: bandwidth is measured at the place that answers, not from the first try. */
    #rewind(): void {
      const { stats } = this;
      stats.aborted = false;
      stats.loaded = stats.total = stats.chunkCount = stats.bwEstimate = 0;
      stats.loading.start = stats.loading.first = stats.loading.end = 0;
    }

    #drop(): void {
      clearTimeout(this.#timer);
      const inner = this.#inner;
      this.#inner = null;
      inner?.destroy();
    }

    #stop(): void {
      this.#callbacks = null;
      this.#drop();
    }
  };
}

/**
 * Makes the class for hls.js' `pLoader`: media playlists with one URL for each object (see {@link Objects}), multivariant
 * playlists with one pathway (see {@link onePathway}).
 */
export function playlistLoader(objects: Objects, Inner: InnerLoader): PlaylistLoaderConstructor {
  return class extends Inner {
    override load(context: LoaderContext, config: LoaderConfiguration, callbacks: LoaderCallbacks<LoaderContext>): void {
      super.load(context, config, {
        ...callbacks,
        onSuccess(response, stats, of, details) {
          const { data } = response;
          callbacks.onSuccess(typeof data === "string" ? { ...response, data: objects.rewrite(onePathway(data)) } : response, stats, of, details);
        },
      });
    }
  } as unknown as PlaylistLoaderConstructor;
}
