// hls.js' segment loader of ours: runs a race (race.ts) with real requests (request.ts) and real time, and hls.js sees one
// segment that came, or none. And its playlist loader.

import type {
  FragmentLoaderConstructor,
  FragmentLoaderContext,
  HlsConfig,
  Loader,
  LoaderCallbacks,
  LoaderConfiguration,
  LoaderContext,
  LoaderStats,
  PlaylistLoaderConstructor,
} from "hls.js";
import { CHOICE_HEADER } from "./changes";
import type { Place } from "./nodes";
import { isMultivariant, type Objects, onePathway, partsAtNodes } from "./objects";
import { type Course, type Input, Race, type Step } from "./race";
import { type Fetch, request } from "./request";

/** hls.js' own loader, as a class. */
export type InnerLoader = new (config: HlsConfig) => Loader<LoaderContext>;

/** What the loader is given of the page, besides the course of its races. */
export interface Page {
  fetch: Fetch;
  now(): number;
  /** A further node is asked for a segment. */
  hedged(place: Place, why: string): void;
  /** No place had it: hls.js is told. */
  exhausted(): void;
  /** So many objects more are asked for, or less. */
  busy(by: 1 | -1): void;
}

type Callbacks = LoaderCallbacks<FragmentLoaderContext>;

/** A request under way. */
interface Running {
  cancel(): void;
  place: Place;
  began_ms: number;
  first_ms: number;
  loaded: number;
  total: number;
  body: ArrayBuffer | null;
  response: Response | null;
}

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
export function fragmentLoader(course: Course, objects: Objects, page: Page): FragmentLoaderConstructor {
  return class implements Loader<FragmentLoaderContext> {
    context: FragmentLoaderContext | null = null;
    // hls.js keeps this very object as the fragment's statistics and reads it while loading.
    stats: LoaderStats = freshStats();
    #callbacks: Callbacks | null = null;
    #race: Race | null = null;
    #running = new Map<number, Running>();
    #response: Response | null = null;
    #timer: ReturnType<typeof setTimeout> | undefined;

    load(context: FragmentLoaderContext, _config: LoaderConfiguration, callbacks: Callbacks): void {
      if (this.context !== null) throw new Error("a loader loads once");
      this.context = context;
      this.#callbacks = callbacks;
      page.busy(1);
      this.stats.loading.start = page.now();
      this.#race = new Race(course, objects.find(context.url), page.now());
      this.#drive();
    }

    abort(): void {
      const callbacks = this.#callbacks;
      this.#stop();
      if (callbacks === null || this.context === null) return;
      this.stats.aborted = true;
      // hls.js 1.7 asks for the init segment of a gap, gives it up for another rendition's, and, told so, gives up the segment that
      // it loads by then. Before the first one is decoded, nothing wakes it any more.
      if (this.context.frag.sn === "initSegment") return;
      callbacks.onAbort?.(this.stats, this.context, this.#response);
    }

    destroy(): void {
      if (this.#callbacks !== null) this.stats.aborted = true;
      this.#stop();
      this.context = null;
    }

    getCacheAge(): number | null {
      return null;
    }

    getResponseHeader(name: string): string | null {
      return this.#response?.headers.get(name) ?? null;
    }

    #drive(): void {
      for (;;) {
        const step = this.#race?.poll(page.now()) ?? null;
        if (step === null) break;
        this.#take(step);
      }
      clearTimeout(this.#timer);
      const now_ms = page.now();
      const due_ms = this.#race?.due(now_ms) ?? null;
      if (due_ms !== null) this.#timer = setTimeout(() => this.#drive(), Math.max(0, due_ms - now_ms));
    }

    #take(step: Step): void {
      switch (step.what) {
        case "ask":
          this.#ask(step.request, step.place);
          if (step.why !== null) page.hedged(step.place, step.why);
          break;
        case "drop":
          this.#running.get(step.request)?.cancel();
          this.#running.delete(step.request);
          break;
        case "won": {
          const winner = this.#running.get(step.request);
          if (winner !== undefined) this.#won(winner);
          break;
        }
        case "lost":
          this.#lost(step.status);
      }
    }

    #ask(number: number, place: Place): void {
      const { context } = this;
      if (context === null) return;
      const headers: Record<string, string> = { ...context.headers };
      if (context.rangeEnd) headers["range"] = `bytes=${context.rangeStart ?? 0}-${context.rangeEnd - 1}`;
      const encrypted = context.frag?.decryptdata?.method === "AES-128";
      const began_ms = page.now();
      const fresh = { first_ms: began_ms, loaded: 0, total: 0, body: null, response: null };
      const running: Running = { place, began_ms, cancel: () => {}, ...fresh };
      this.#running.set(number, running);
      const tell = (input: Input) => {
        this.#race?.handle(input, page.now());
        this.#drive();
      };
      running.cancel = request(page.fetch, { url: place.url, headers, encrypted }, {
        first: (total) => {
          running.first_ms = page.now();
          running.total = total ?? 0;
          tell({ what: "first", request: number, total });
        },
        bytes: (loaded) => {
          running.loaded = loaded;
          this.#show(running);
          tell({ what: "bytes", request: number, loaded });
        },
        whole: (body, response) => {
          running.body = body;
          running.response = response;
          tell({ what: "whole", request: number });
        },
        failed: (status) => {
          this.#running.delete(number);
          tell({ what: "failed", request: number, status });
        },
      });
    }

    /** hls.js sees the request that has the most, as if it were the only one: bandwidth is what one node gives. */
    #show({ began_ms, first_ms, loaded, total }: Running): void {
      for (const other of this.#running.values()) if (other.loaded > loaded) return;
      const { stats } = this;
      stats.loading.start = began_ms;
      stats.loading.first = first_ms;
      stats.loaded = loaded;
      stats.total = total;
    }

    #won(winner: Running): void {
      const [callbacks, context, { body, response }] = [this.#callbacks, this.context, winner];
      if (callbacks === null || context === null || body === null || response === null) return;
      const { stats } = this;
      stats.loading.start = winner.began_ms;
      stats.loading.first = winner.first_ms;
      stats.loading.end = page.now();
      stats.loaded = stats.total = body.byteLength;
      const took_ms = stats.loading.end - stats.loading.first;
      stats.bwEstimate = took_ms > 0 ? (stats.total * 8000) / took_ms : 0;
      this.#response = response;
      this.#stop();
      callbacks.onSuccess({ url: winner.place.url, data: body, code: response.status }, stats, context, response);
    }

    #lost(status: number | null): void {
      const [callbacks, context] = [this.#callbacks, this.context];
      if (callbacks === null || context === null) return;
      this.#stop();
      page.exhausted();
      if (status === null) callbacks.onTimeout(this.stats, context, null);
      else callbacks.onError({ code: status, text: "no node has it" }, context, null, this.stats);
    }

    #stop(): void {
      clearTimeout(this.#timer);
      if (this.#callbacks !== null) page.busy(-1);
      this.#callbacks = null;
      this.#race?.abandon(page.now());
      this.#race = null;
      for (const running of this.#running.values()) running.cancel();
      this.#running.clear();
    }
  };
}

/** What is done with playlists on their way to hls.js. */
export interface Playlists {
  /** Where one is asked for that is at this address. */
  address(url: string): string;
  /** A multivariant playlist of one pathway as hls.js shall see it; `choice` is the edge's word for what there is to choose from. */
  multivariant(text: string, choice: string | null): string;
  /** The same of a media playlist. */
  media(text: string, choice: string | null): string;
}

/** A header of an answer that hls.js' own loader got. */
export function header(answer: unknown, name: string): string | null {
  return typeof XMLHttpRequest === "function" && answer instanceof XMLHttpRequest ? answer.getResponseHeader(name) : null;
}

/**
 * Makes the class for hls.js' `pLoader`: media playlists with one URL for each object (see {@link Objects}), multivariant
 * playlists with one pathway (see {@link onePathway}) and parts at nodes (see {@link partsAtNodes}).
 */
export function playlistLoader(objects: Objects, Inner: InnerLoader, playlists: Playlists): PlaylistLoaderConstructor {
  return class extends Inner {
    override load(context: LoaderContext, config: LoaderConfiguration, callbacks: LoaderCallbacks<LoaderContext>): void {
      context.url = playlists.address(context.url);
      super.load(context, config, {
        ...callbacks,
        onSuccess(response, stats, of, answer) {
          const choice = header(answer, CHOICE_HEADER);
          const rewritten = (text: string) =>
            isMultivariant(text) ? partsAtNodes(playlists.multivariant(onePathway(text), choice)) : objects.rewrite(playlists.media(text, choice));
          const { data } = response;
          callbacks.onSuccess(typeof data === "string" ? { ...response, data: rewritten(data) } : response, stats, of, answer);
        },
      });
    }
  } as unknown as PlaylistLoaderConstructor;
}
