import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";
import type { FragmentLoaderContext, HlsConfig, Loader, LoaderCallbacks, LoaderConfiguration, LoaderContext, LoaderResponse, LoaderStats } from "hls.js";
import { Extra } from "../src/extra";
import { fragmentLoader, playlistLoader } from "../src/loader";
import { NodeBook } from "../src/nodes";
import { OBJECT_BASE, Objects } from "../src/objects";
import { Patience, PATIENCE_MS } from "../src/patience";
import { GIVE_UP_MS, PAUSE_MS, RACE_MS_MAX } from "../src/race";

const NAME = "table-1/source/1-0.m4s";
const HOME = `http://a.example/${NAME}`;
const OTHER = `http://b.example/${NAME}`;

/** A request that the test answers. */
class Asked {
  #settle!: (response: Response) => void;
  #refuse!: (error: Error) => void;
  #body!: ReadableStreamDefaultController<Uint8Array>;
  readonly answer: Promise<Response>;
  constructor(
    readonly url: string,
    readonly init: RequestInit,
  ) {
    this.answer = new Promise((resolve, reject) => ([this.#settle, this.#refuse] = [resolve, reject]));
    init.signal?.addEventListener("abort", () => this.#refuse(new DOMException("aborted", "AbortError")));
  }
  get aborted(): boolean {
    return this.init.signal?.aborted === true;
  }
  async head(status = 200, headers: Record<string, string> = {}): Promise<void> {
    const body = new ReadableStream<Uint8Array>({ start: (made) => void (this.#body = made) });
    this.#settle(new Response(body, { status, headers }));
    await settled();
  }
  async give(len: number): Promise<void> {
    this.#body.enqueue(new Uint8Array(len));
    await settled();
  }
  async end(): Promise<void> {
    this.#body.close();
    await settled();
  }
  async refuse(): Promise<void> {
    this.#refuse(new TypeError("Failed to fetch"));
    await settled();
  }
  async whole(len = 8): Promise<void> {
    await this.head();
    await this.give(len);
    await this.end();
  }
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

function set(ready = true, method = "NONE") {
  const book = new NodeBook();
  if (ready) {
    book.update([
      { id: "a", url: "http://a.example", up: true },
      { id: "b", url: "http://b.example", up: true },
    ]);
  }
  const objects = new Objects("table-1");
  if (ready) objects.rewrite(HOME);
  const [asked, told, heard]: [Asked[], string[], string[]] = [[], [], []];
  const busy = { now: 0 };
  const extra = new Extra();
  const course = {
    book,
    patience: new Patience(),
    extra,
    ahead_ms: () => 6_000,
    random: () => 0.5,
    answered: ({ place, right, status }: { place: { node: string | null }; right: boolean; status: number | null }) =>
      told.push(`${place.node} ${right ? "served" : `failed ${status}`}`),
  };
  const Made = fragmentLoader(course, objects, {
    fetch: (url, init) => {
      const request = new Asked(url, init);
      asked.push(request);
      return request.answer;
    },
    now: () => now_ms,
    hedged: (place, why) => told.push(`${place.node} asked: ${why}`),
    exhausted: () => told.push("exhausted"),
    busy: (by) => (busy.now += by),
  });
  const loader = new Made({} as HlsConfig);
  const context = { url: `${OBJECT_BASE}/${NAME}`, responseType: "arraybuffer", frag: { decryptdata: { method } } } as FragmentLoaderContext;
  const load = () =>
    loader.load(context, {} as LoaderConfiguration, {
      onSuccess: (response, stats, of) => {
        assert.equal(of, context);
        assert.equal(stats, loader.stats);
        heard.push(`success ${response.url} ${(response.data as ArrayBuffer).byteLength}`);
      },
      onError: (error) => heard.push(`error ${error.code}`),
      onTimeout: () => heard.push("timeout"),
      onAbort: () => heard.push("abort"),
    });
  return { book, busy, extra, loader, load, context, heard, told, asked };
}

let now_ms = 0;
/** Time passes, a timer at a time, and what follows from it happens. */
async function pass(ms: number): Promise<void> {
  for (let left = ms; left > 0; left -= 10) {
    now_ms += Math.min(10, left);
    mock.timers.tick(Math.min(10, left));
    await settled();
  }
}

beforeEach(() => {
  now_ms = 1_000;
  mock.timers.reset();
  mock.timers.enable({ apis: ["setTimeout"] });
});

test("an object comes from the node that the edge chose, and hls.js holds the statistics that it saw first", async () => {
  const { loader, load, heard, told, asked } = set();
  const { stats } = loader;
  load();
  assert.deepEqual(asked.map(({ url }) => url), [HOME]);
  await pass(30);
  await asked[0]?.head(200, { "content-length": "16", "x-seen": "yes" });
  await asked[0]?.give(8);
  assert.deepEqual([stats.loaded, stats.total, stats.loading.start, stats.loading.first], [8, 16, 1_000, 1_030]);
  await pass(50);
  await asked[0]?.give(8);
  await asked[0]?.end();
  assert.deepEqual(heard, [`success ${HOME} 16`]);
  assert.deepEqual(told, ["a served"]);
  assert.equal(loader.stats, stats);
  assert.deepEqual([stats.loaded, stats.total, stats.loading.end, stats.aborted], [16, 16, 1_080, false]);
  assert.equal(loader.getResponseHeader?.("x-seen"), "yes");
  await pass(2 * RACE_MS_MAX);
  assert.equal(asked.length, 1);
});

test("the headers and the range that hls.js wants are sent", () => {
  const { load, context, asked } = set();
  Object.assign(context, { headers: { "x-a": "b" }, rangeStart: 16, rangeEnd: 64 });
  load();
  assert.deepEqual(asked[0]?.init.headers, { "x-a": "b", range: "bytes=16-63" });
});

test("a refused connection is answered by the next node, and statistics are the winner's", async () => {
  const { loader, load, heard, told, asked } = set();
  load();
  await pass(40);
  await asked[0]?.refuse();
  assert.equal(asked[1]?.url, OTHER);
  await asked[1]?.whole();
  assert.deepEqual(heard, [`success ${OTHER} 8`]);
  assert.deepEqual(told, ["a failed 0", "b asked: failed", "b served"]);
  assert.equal(loader.stats.loading.start, 1_040);
});

test("who loses a race is cancelled, and hls.js hears of one segment only", async () => {
  const { load, heard, told, asked, extra } = set();
  load();
  await pass(PATIENCE_MS);
  await asked[0]?.head();
  await asked[0]?.give(100);
  await asked[1]?.whole(400);
  assert.equal(asked[0]?.aborted, true);
  assert.equal(asked[1]?.aborted, false);
  assert.deepEqual(heard, [`success ${OTHER} 400`]);
  assert.deepEqual(told, ["b asked: late", "b served"]);
  assert.deepEqual(extra.total, { media: 400, extra: 100 });
});

test("a length that no encrypted object has is as good as none", async () => {
  const { load, heard, asked } = set(true, "AES-128");
  load();
  await asked[0]?.whole(17);
  await asked[1]?.whole(32);
  assert.deepEqual(heard, [`success ${OTHER} 32`]);
});

test("hls.js hears of it when every node failed twice, with the last reason", async () => {
  const { load, heard, told, asked } = set();
  load();
  await asked[0]?.refuse();
  await asked[1]?.head(503);
  assert.equal(asked.length, 2);
  await pass(2 * PAUSE_MS);
  await asked[2]?.refuse();
  assert.deepEqual(heard, []);
  await asked[3]?.head(404);
  assert.deepEqual(heard, ["error 404"]);
  assert.equal(told.at(-1), "exhausted");
  assert.equal(asked.length, 4);
});

test("silence everywhere is a time-out, at a bounded time", async () => {
  const { load, heard, asked } = set();
  load();
  await pass(4 * GIVE_UP_MS);
  assert.deepEqual(heard, ["timeout"]);
  assert.ok(asked.every(({ aborted }) => aborted));
});

test("abort cancels every request, tells hls.js once and leaves no timer", async () => {
  const { load, loader, heard, told, asked } = set();
  load();
  await pass(PATIENCE_MS);
  loader.abort();
  loader.abort();
  assert.deepEqual(asked.map(({ aborted }) => aborted), [true, true]);
  assert.equal(loader.stats.aborted, true);
  await pass(2 * RACE_MS_MAX);
  loader.destroy();
  assert.deepEqual(heard, ["abort"]);
  assert.deepEqual([told, asked.length], [["b asked: late"], 2]);
});

test("hls.js hears nothing of an init segment that it gave up: it would give up what it loads by then", async () => {
  const { load, loader, context, heard, asked } = set();
  Object.assign(context.frag, { sn: "initSegment" });
  load();
  loader.abort();
  await settled();
  assert.deepEqual([heard, asked[0]?.aborted, loader.stats.aborted], [[], true, true]);
});

test("an object is on its way until it came, failed or was given up", async () => {
  const came = set();
  came.load();
  assert.equal(came.busy.now, 1);
  await came.asked[0]?.whole();
  assert.equal(came.busy.now, 0);
  came.loader.destroy();
  assert.equal(came.busy.now, 0);
  for (const end of ["abort", "destroy"] as const) {
    const left = set();
    left.load();
    left.loader[end]();
    left.loader.destroy();
    assert.equal(left.busy.now, 0, end);
  }
  const nowhere = set(false);
  nowhere.load();
  assert.equal(nowhere.busy.now, 0);
});

test("destroy is silent, and after a success changes nothing", async () => {
  const early = set();
  early.load();
  early.loader.destroy();
  await settled();
  assert.deepEqual([early.heard, early.told, early.loader.stats.aborted], [[], [], true]);
  const late = set();
  late.load();
  await late.asked[0]?.whole();
  late.loader.destroy();
  assert.equal(late.loader.stats.aborted, false);
  assert.equal(late.heard.length, 1);
});

test("without any place hls.js gets an error, not an endless wait", () => {
  const { load, heard } = set(false);
  load();
  assert.deepEqual(heard, ["error 0"]);
});

test("playlists reach hls.js rewritten", () => {
  /** hls.js' own loader, whose network is the test. */
  class Inner implements Loader<LoaderContext> {
    context = null;
    stats = {} as LoaderStats;
    load(context: LoaderContext, _config: LoaderConfiguration, callbacks: LoaderCallbacks<LoaderContext>): void {
      callbacks.onSuccess({ url: "", data: `#EXTINF:2,\n${HOME}\n`, code: 200 }, this.stats, context, null);
    }
    abort(): void {}
    destroy(): void {}
  }
  const playlists = {
    address: (url: string) => url,
    multivariant: () => assert.fail("it names segments"),
    media: (text: string) => `${text}#media\n`,
  };
  const loader = new (playlistLoader(new Objects("table-1"), Inner, playlists))({} as HlsConfig);
  let heard: LoaderResponse["data"];
  const nothing = () => {};
  const callbacks = { onSuccess: (response: LoaderResponse) => (heard = response.data), onError: nothing, onTimeout: nothing };
  loader.load({ url: "x" } as never, {} as LoaderConfiguration, callbacks);
  assert.equal(heard, `#EXTINF:2,\n${OBJECT_BASE}/${NAME}\n#media\n`);
});
