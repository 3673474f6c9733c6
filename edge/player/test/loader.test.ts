import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";
import type {
  FragmentLoaderContext,
  HlsConfig,
  Loader,
  LoaderCallbacks,
  LoaderConfiguration,
  LoaderContext,
  LoaderResponse,
  LoaderStats,
} from "hls.js";
import { fragmentLoader, PAUSE_MS, playlistLoader, SILENCE_LATER_MS_MAX, SILENCE_MS_MAX } from "../src/loader";
import { NodeBook, TRIES_PER_PLACE_MAX } from "../src/nodes";
import { OBJECT_BASE, Objects } from "../src/objects";

const NAME = "table-1/source/1-0.m4s";
const HOME = `http://a.example/${NAME}`;
const OTHER = `http://b.example/${NAME}`;

/** What the pause before a further try of a place takes where chance gives 0.5. */
const PAUSED_MS = 1.5 * PAUSE_MS;

/** A loader whose network is the test. */
class Fake implements Loader<LoaderContext> {
  static all: Fake[] = [];
  context: LoaderContext | null = null;
  stats = {} as LoaderStats;
  config: LoaderConfiguration | null = null;
  callbacks: LoaderCallbacks<LoaderContext> | null = null;
  destroyed = false;
  constructor() {
    Fake.all.push(this);
  }
  load(context: LoaderContext, config: LoaderConfiguration, callbacks: LoaderCallbacks<LoaderContext>): void {
    // As hls.js' loaders do.
    assert.equal(this.stats.loading.start, 0);
    this.stats.loading.start = 1;
    [this.context, this.config, this.callbacks] = [context, config, callbacks];
  }
  abort(): void {}
  destroy(): void {
    this.destroyed = true;
  }
  succeed(data: ArrayBuffer | string = new ArrayBuffer(8)): void {
    this.stats.loaded = this.stats.total = 8;
    const response: LoaderResponse = { url: this.context?.url ?? "", data, code: 200 };
    this.callbacks?.onSuccess(response, this.stats, this.context as LoaderContext, null);
  }
  fail(code: number): void {
    this.callbacks?.onError({ code, text: "" }, this.context as LoaderContext, null, this.stats);
  }
}

function set(ready = true) {
  Fake.all = [];
  const book = new NodeBook();
  if (ready) {
    book.update([
      { id: "a", url: "http://a.example", up: true },
      { id: "b", url: "http://b.example", up: true },
    ]);
  }
  const objects = new Objects("table-1");
  if (ready) objects.rewrite(HOME);
  const told: string[] = [];
  const watcher = {
    served: (node: string | null) => told.push(`served ${node}`),
    failed: (place: { node: string | null }, status: number | null) => told.push(`failed ${place.node} ${status}`),
    exhausted: () => told.push("exhausted"),
  };
  const Made = fragmentLoader(book, objects, watcher, Fake, () => 0, () => 0.5);
  const loader = new Made({} as HlsConfig);
  const heard: string[] = [];
  const context = { url: `${OBJECT_BASE}/${NAME}`, responseType: "arraybuffer" } as FragmentLoaderContext;
  const loadPolicy = { maxTimeToFirstByteMs: 12_000, maxLoadTimeMs: 12_000, timeoutRetry: null, errorRetry: null };
  const config = { loadPolicy, maxRetry: 0, timeout: 0, retryDelay: 0, maxRetryDelay: 0 };
  const load = () =>
    loader.load(context, config, {
      onSuccess: (response, stats, of) => {
        assert.equal(of, context);
        assert.equal(stats, loader.stats);
        heard.push(`success ${response.url}`);
      },
      onError: (error) => heard.push(`error ${error.code}`),
      onTimeout: () => heard.push("timeout"),
      onAbort: () => heard.push("abort"),
    });
  const newest = () => Fake.all.at(-1) as Fake;
  return { book, loader, load, heard, told, newest };
}

beforeEach(() => {
  mock.timers.reset();
  mock.timers.enable({ apis: ["setTimeout"] });
});

test("an object comes from the node that the edge chose", () => {
  const { load, heard, told, newest } = set();
  load();
  assert.equal(newest().context?.url, HOME);
  newest().succeed();
  assert.deepEqual(heard, [`success ${HOME}`]);
  assert.deepEqual(told, ["served a"]);
});

test("a refused connection is answered by the next node, and later objects begin there", () => {
  const first = set();
  first.load();
  const { stats } = first.loader;
  first.newest().fail(0);
  assert.equal(first.newest().context?.url, OTHER);
  first.newest().succeed();
  assert.deepEqual(first.heard, [`success ${OTHER}`]);
  assert.deepEqual(first.told, ["failed a 0", "served b"]);
  // hls.js holds the very object that it saw first.
  assert.equal(first.loader.stats, stats);
  assert.equal(stats.loaded, 8);
  assert.equal(stats.aborted, false);
  assert.equal(first.book.penalised("a", 0), true);
});

test("a missing object moves on without blaming the node", () => {
  const { load, heard, newest, book } = set();
  load();
  newest().fail(404);
  newest().succeed();
  assert.deepEqual(heard, [`success ${OTHER}`]);
  assert.equal(book.penalised("a", 0), false);
});

test("silence moves on, bytes that still come do not", () => {
  const { load, loader, told, newest } = set();
  load();
  const slow = newest();
  for (let loaded = 1; loaded < 5; loaded += 1) {
    loader.stats.loaded = loaded;
    mock.timers.tick(SILENCE_MS_MAX);
    assert.equal(newest(), slow);
  }
  mock.timers.tick(SILENCE_MS_MAX);
  assert.equal(slow.destroyed, true);
  assert.equal(newest().context?.url, OTHER);
  assert.equal(loader.stats.loaded, 0);
  assert.deepEqual(told, ["failed a null"]);
  // What the given-up place still says is not heard.
  slow.succeed();
  slow.fail(500);
  assert.equal(Fake.all.length, 2);
  assert.deepEqual(told, ["failed a null"]);
});

test("hls.js hears of it when every node failed twice, with the last reason", () => {
  const { load, heard, told, newest } = set();
  load();
  const asked: (string | undefined)[] = [];
  for (const code of [0, 503, 0, 404]) {
    assert.deepEqual(heard, []);
    asked.push(newest().context?.url);
    newest().fail(code);
    mock.timers.tick(PAUSED_MS);
  }
  assert.deepEqual(asked, [HOME, OTHER, HOME, OTHER]);
  assert.equal(Fake.all.length, 2 * TRIES_PER_PLACE_MAX);
  assert.deepEqual(heard, ["error 404"]);
  assert.equal(told.at(-1), "exhausted");
});

test("silence everywhere is a time-out, later tries being given longer", () => {
  const { load, heard, newest } = set();
  load();
  for (const patience_ms of [SILENCE_MS_MAX, SILENCE_MS_MAX, SILENCE_LATER_MS_MAX, SILENCE_LATER_MS_MAX]) {
    const asked = newest();
    mock.timers.tick(patience_ms - 1);
    assert.equal(asked.destroyed, false);
    mock.timers.tick(1);
    assert.equal(asked.destroyed, true);
    mock.timers.tick(newest() === asked ? PAUSED_MS : 0);
  }
  assert.deepEqual(heard, ["timeout"]);
});

test("another place is asked at once, the same place again after a pause", () => {
  const { load, loader, heard, newest } = set();
  load();
  newest().fail(0);
  newest().fail(0);
  assert.equal(Fake.all.length, 2);
  mock.timers.tick(PAUSED_MS - 1);
  assert.equal(Fake.all.length, 2);
  mock.timers.tick(1);
  assert.equal(Fake.all.length, 3);
  newest().fail(0);
  mock.timers.tick(PAUSED_MS);
  newest().fail(0);
  assert.deepEqual(heard, ["error 0"]);
  // An abort while pausing ends it too.
  const second = set();
  second.load();
  second.newest().fail(0);
  second.newest().fail(0);
  second.loader.abort();
  mock.timers.tick(10 * PAUSED_MS);
  assert.equal(Fake.all.length, 2);
  assert.deepEqual(second.heard, ["abort"]);
  assert.equal(loader.stats.aborted, false);
});

test("nodes that become known while one fails are asked too", () => {
  const { load, heard, newest, book } = set();
  load();
  newest().fail(0);
  book.update([{ id: "c", url: "http://c.example", up: true }]);
  newest().fail(0);
  assert.equal(newest().context?.url, `http://c.example/${NAME}`);
  newest().succeed();
  assert.deepEqual(heard, [`success http://c.example/${NAME}`]);
});

test("abort stops the request, tells hls.js once and leaves no timer", () => {
  const { load, loader, heard, told, newest } = set();
  load();
  const inner = newest();
  loader.abort();
  loader.abort();
  assert.equal(inner.destroyed, true);
  assert.equal(loader.stats.aborted, true);
  inner.succeed();
  mock.timers.tick(10 * SILENCE_MS_MAX);
  loader.destroy();
  assert.deepEqual(heard, ["abort"]);
  assert.deepEqual(told, []);
  assert.equal(Fake.all.length, 1);
});

test("destroy is silent, and after a success changes nothing", () => {
  const early = set();
  early.load();
  early.loader.destroy();
  early.newest().fail(0);
  assert.deepEqual([early.heard, early.told, early.loader.stats.aborted], [[], [], true]);
  const late = set();
  late.load();
  late.newest().succeed();
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
  Fake.all = [];
  const Made = playlistLoader(new Objects("table-1"), Fake);
  const loader = new Made({} as HlsConfig) as unknown as Fake;
  loader.stats = { loading: { start: 0 } } as LoaderStats;
  let heard: unknown;
  const nothing = () => {};
  const callbacks = { onSuccess: (response: LoaderResponse) => (heard = response.data), onError: nothing, onTimeout: nothing };
  loader.load({ url: "x" } as LoaderContext, {} as LoaderConfiguration, callbacks);
  loader.succeed(`#EXTINF:2,\n${HOME}\n`);
  assert.equal(heard, `#EXTINF:2,\n${OBJECT_BASE}/${NAME}\n`);
});
