import assert from "node:assert/strict";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, mock, test } from "node:test";
import { BEGINNING_MS_MAX, Beginnings, contentKey, inClear } from "../src/beginning";
import type { Fetch } from "../src/request";
import { FIRST_BYTES, KEYS_MAX, type Listed, PAUSE_MS, pictureCodec, PLACES_MAX, type Sight, sightAt, Sights, type Source, USUAL_BYTES_MAX, USUAL_BYTES_MIN } from "../src/sights";
import { AVC_RECORD, init, segment } from "./boxes";

const SECRET = new Uint8Array(16).fill(7);
const IV = new Uint8Array(16).fill(9);

async function encrypted(clear: Uint8Array): Promise<Uint8Array> {
  const key = await crypto.subtle.importKey("raw", SECRET, "AES-CBC", false, ["encrypt"]);
  return new Uint8Array(await crypto.subtle.encrypt({ name: "AES-CBC", iv: IV }, key, clear.slice()));
}

/** A node: what it was asked for, and whether it knows ranges. */
class Node {
  asked: string[] = [];
  sent = 0;
  url = "";
  #server: Server;
  constructor(objects: Map<string, Uint8Array>, ranges: boolean) {
    this.#server = createServer((request, response) => {
      const { range } = request.headers;
      this.asked.push(`${request.url} ${range}`);
      const body = objects.get(request.url ?? "");
      if (body === undefined) return void response.writeHead(404).end();
      const last = Number(/^bytes=0-(\d+)$/.exec(range ?? "")?.[1] ?? Number.NaN);
      const some = ranges ? body.subarray(0, last + 1) : body;
      this.sent += some.length;
      response.writeHead(ranges ? 206 : 200).end(some);
    });
  }
  async open(): Promise<Node> {
    await new Promise<void>((resolve) => this.#server.listen(0, "127.0.0.1", resolve));
    this.url = `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
    return this;
  }
  close(): Promise<unknown> {
    this.#server.closeAllConnections();
    return new Promise((resolve) => this.#server.close(resolve));
  }
}

const KEY_FRAME = Array.from({ length: 200_000 }, (_, n) => (n * 7) % 256);
const objects = new Map<string, Uint8Array>();
let nodes: [Node, Node];
before(async () => {
  objects.set("/init.mp4", init("avc1", "avcC", AVC_RECORD));
  objects.set("/other.mp4", init("avc1", "avcC", AVC_RECORD));
  objects.set("/sound.mp4", init("mp4a", "esds", [1]));
  objects.set("/huge.m4s", await encrypted(segment(Array.from({ length: 700_000 }, () => 1), 1)));
  objects.set("/large.m4s", await encrypted(segment(KEY_FRAME, 49)));
  objects.set("/small.m4s", await encrypted(segment([1, 2, 3, 4], 49)));
  objects.set("/clear.m4s", segment([5, 6], 1));
  nodes = [await new Node(objects, true).open(), await new Node(objects, false).open()];
});
after(() => Promise.all(nodes.map((node) => node.close())));

const sight = (url: string): Sight => ({ url, init: "/init.mp4", key: { url: "/key", iv: IV }, codec: "avc1.640028" });

/** What a test may have otherwise. */
interface Page {
  fetch: Fetch;
  key(url: string): Promise<ArrayBuffer>;
  draws(codec: string, description: Uint8Array | null): Promise<boolean>;
}

/** Reads of these places, at a time that the test sets; and the keys that were asked for. */
function reader(order: readonly string[], more: Partial<Page> = {}): { sights: Sights; keys: string[]; clock: { now_ms: number } } {
  const [keys, clock] = [[] as string[], { now_ms: 0 }];
  const page: Page = { fetch: (url, init) => fetch(url, init), key: async () => SECRET.slice().buffer, draws: async () => true, ...more };
  const now = () => clock.now_ms;
  const source: Source = {
    beginnings: new Beginnings({ fetch: page.fetch, now }),
    places: (name) => order.map((url, n) => ({ node: String(n), url: `${url}${name}` })),
    key(url) {
      keys.push(url);
      return page.key(url);
    },
    draws: page.draws,
    now,
  };
  return { sights: new Sights(source), keys, clock };
}

/** A line on which so many bytes of an answer come, and then nothing till the time is over. */
function slow(bytes: Uint8Array, most: number): { fetch: Fetch; asked: string[] } {
  const asked: string[] = [];
  const answer: Fetch = async (url, { headers, signal }) => {
    const { pathname } = new URL(url);
    asked.push(pathname);
    if (pathname === "/init.mp4") return new Response(init("avc1", "avcC", AVC_RECORD).slice());
    const len = Number(/(\d+)$/.exec((headers as Record<string, string>)["range"] ?? "")?.[1]) + 1;
    const some = bytes.slice(0, Math.min(len, most));
    const body = new ReadableStream<Uint8Array>({
      start(made) {
        if (some.length > 0) made.enqueue(some);
        if (some.length === Math.min(len, bytes.length)) made.close();
        else signal?.addEventListener("abort", () => made.error(new DOMException("aborted", "AbortError")));
      },
      // What is asked for behind it takes longer than there is time.
      pull: () => mock.timers.tick(BEGINNING_MS_MAX),
    });
    return new Response(body);
  };
  return { fetch: answer, asked };
}

test("a message's first bytes of any length are put in clear up to their last whole block", async () => {
  const clear = Uint8Array.from({ length: 100 }, (_, n) => n);
  const [message, key] = [await encrypted(clear), await contentKey(SECRET)];
  for (let len = 0; len <= message.length; len += 1) {
    const shown = await inClear(key, IV, message.subarray(0, len));
    assert.equal(shown.length, len - (len % 16));
    assert.deepEqual(shown.subarray(0, 100), clear.subarray(0, Math.min(shown.length, 100)));
  }
});

test("the key frame of a segment is read from its beginning, which is all that is asked for", async () => {
  const { sights, keys } = reader([nodes[0].url]);
  const still = await sights.still(sight("/small.m4s"));
  assert.deepEqual(still, { codec: "avc1.4d401f", description: new Uint8Array(AVC_RECORD), bytes: new Uint8Array([1, 2, 3, 4]) });
  const sent = nodes[0].sent;
  assert.deepEqual((await sights.still(sight("/large.m4s")))?.bytes, new Uint8Array(KEY_FRAME));
  // Asked for again where that was not enough, then in one: the next one is expected to be as large.
  const asked = nodes[0].asked.filter((text) => text.startsWith("/large.m4s")).length;
  assert.equal(asked, 2);
  await sights.still(sight("/large.m4s"));
  assert.equal(nodes[0].asked.filter((text) => text.startsWith("/large.m4s")).length, 3);
  assert.ok(nodes[0].sent > sent);
  // Init segment and key once.
  assert.equal(nodes[0].asked.filter((text) => text.startsWith("/init.mp4")).length, 1);
  assert.equal(keys.length, 1);
});

test("a node that knows no ranges is left when it gave enough", async () => {
  const { sights } = reader([nodes[1].url]);
  assert.deepEqual((await sights.still(sight("/large.m4s")))?.bytes, new Uint8Array(KEY_FRAME));
});

test("a node that is dead or lacks it is passed by, and comes last from then on", async () => {
  const dead = await new Node(objects, true).open();
  await dead.close();
  const lacking = await new Node(new Map(), true).open();
  const { sights } = reader([dead.url, lacking.url, nodes[0].url]);
  assert.deepEqual((await sights.still(sight("/small.m4s")))?.bytes, new Uint8Array([1, 2, 3, 4]));
  const asked = lacking.asked.length;
  assert.deepEqual((await sights.still(sight("/large.m4s")))?.bytes, new Uint8Array(KEY_FRAME));
  assert.equal(lacking.asked.length, asked);
  await lacking.close();
});

test("where no node has it, or the edge gives no key, there is no picture", async () => {
  await assert.rejects(reader([nodes[0].url]).sights.still(sight("/nowhere.m4s")), /404/);
  await assert.rejects(reader([]).sights.still(sight("/small.m4s")));
  await assert.rejects(reader([nodes[0].url], { key: () => Promise.reject(new Error("401")) }).sights.still(sight("/small.m4s")), /401/);
  // With another key, what comes out is nothing.
  assert.equal(await reader([nodes[0].url], { key: async () => new Uint8Array(16).buffer }).sights.still(sight("/small.m4s")), null);
});

test("the edge is asked for the key first, and after it gave none, nobody is asked for anything for a while", async () => {
  const asked = () => nodes[0].asked.filter((text) => text.includes(".m4s")).length;
  const before = asked();
  let given = false;
  const { sights, keys, clock } = reader([nodes[0].url], { key: async () => (given ? SECRET.slice().buffer : Promise.reject(new Error("401"))) });
  await assert.rejects(sights.still(sight("/small.m4s")), /401/);
  given = true;
  clock.now_ms = PAUSE_MS - 1;
  assert.equal(sights.may(sight("/large.m4s")), false);
  await assert.rejects(sights.still(sight("/large.m4s")));
  assert.deepEqual([asked(), keys.length], [before, 1]);
  clock.now_ms = PAUSE_MS;
  assert.equal(sights.may(sight("/small.m4s")), true);
  assert.notEqual(await sights.still(sight("/small.m4s")), null);
});

test("of what can't be drawn, or is no picture, no more than the init segment is asked for", async () => {
  const { sights, keys } = reader([nodes[0].url], { draws: async (codec, description) => codec !== "avc1.4d401f" || description === null });
  const before = nodes[0].asked.length;
  assert.equal(sights.may(sight("/small.m4s")), true);
  assert.equal(await sights.still(sight("/small.m4s")), null);
  assert.equal(await sights.still(sight("/large.m4s")), null);
  assert.equal(sights.may(sight("/large.m4s")), false);
  assert.deepEqual(nodes[0].asked.slice(before).map((text) => text.split(" ")[0]), ["/init.mp4"]);
  assert.deepEqual(keys, []);
  const sound = { ...sight("/small.m4s"), init: "/sound.mp4" };
  assert.equal(await sights.still(sound), null);
  assert.equal(sights.may(sound), false);
});

test("the keys of a long recording are asked for once each", async () => {
  const { sights, keys } = reader(["http://a.example"], { fetch: async (url) => new Response(objects.get(new URL(url).pathname)?.slice()) });
  const one = (n: number) => ({ ...sight("/small.m4s"), key: { url: `/key/${n}`, iv: IV } });
  for (let n = 0; n < KEYS_MAX; n += 1) await sights.still(one(n));
  for (const n of [0, KEYS_MAX >> 1, KEYS_MAX - 1]) await sights.still(one(n));
  assert.equal(keys.length, KEYS_MAX);
});

test("on a slow line a picture costs one download, of which what came is used, and then there are none for a while", async (context) => {
  mock.timers.enable({ apis: ["setTimeout"] });
  context.after(() => mock.timers.reset());
  const whole = await encrypted(segment([1, 2, 3, 4], 60_000, { same: true }));
  // All of the key frame came in time, or not even what says how long it is.
  for (const [most, bytes] of [
    [50_000, new Uint8Array([1, 2, 3, 4])],
    [100, null],
  ] as const) {
    const line = slow(whole, most);
    const { sights, clock } = reader(["http://a.example", "http://b.example", "http://c.example"], { fetch: line.fetch });
    const still = sights.still({ ...sight("/slow.m4s") });
    if (bytes === null) await assert.rejects(still);
    else assert.deepEqual((await still)?.bytes, bytes);
    assert.deepEqual(line.asked, ["/init.mp4", "/slow.m4s"]);
    clock.now_ms = PAUSE_MS - 1;
    await assert.rejects(sights.still(sight("/other.m4s")));
    assert.ok(!line.asked.includes("/other.m4s"));
    clock.now_ms = PAUSE_MS;
    assert.equal(sights.may(sight("/other.m4s")), true);
  }
});

test("a node from which nothing comes in time is passed by for another one", async (context) => {
  mock.timers.enable({ apis: ["setTimeout"] });
  context.after(() => mock.timers.reset());
  const hanging: Fetch = (url, init) => (url.startsWith("http://hangs.example") ? slow(new Uint8Array(99), 0).fetch(url, init) : fetch(url, init));
  const { sights } = reader(["http://hangs.example", nodes[0].url], { fetch: hanging });
  assert.deepEqual((await sights.still(sight("/small.m4s")))?.bytes, new Uint8Array([1, 2, 3, 4]));
  assert.equal(sights.may(sight("/large.m4s")), true);
  const nobody = reader(["http://hangs.example"], { fetch: hanging });
  await assert.rejects(nobody.sights.still(sight("/small.m4s")));
  assert.equal(nobody.sights.may(sight("/large.m4s")), false);
});

test("so much is asked for as the key frame before took and a quarter more, within bounds, and of another coding as at first", async () => {
  const { sights } = reader([nodes[0].url]);
  const asked = async (url: string, of = "/init.mp4") => {
    const from = nodes[0].asked.length;
    await sights.still({ ...sight(url), init: of });
    return nodes[0].asked.slice(from).flatMap((text) => (text.startsWith(url) ? [Number(text.split("-")[1]) + 1] : []));
  };
  assert.equal((await asked("/small.m4s"))[0], FIRST_BYTES);
  const [little, all] = await asked("/large.m4s");
  assert.ok(little !== undefined && little >= USUAL_BYTES_MIN && little < USUAL_BYTES_MIN + 64, `${little}`);
  assert.ok(all !== undefined && all > KEY_FRAME.length && all < KEY_FRAME.length + 10_000, `${all}`);
  const [usual] = await asked("/small.m4s");
  assert.ok(usual !== undefined && usual > all * 1.2 && usual < all * 1.3, `${usual}`);
  assert.equal((await asked("/huge.m4s")).length, 2);
  const [most] = await asked("/small.m4s");
  assert.ok(most !== undefined && most >= USUAL_BYTES_MAX && most < USUAL_BYTES_MAX + 64, `${most}`);
  await asked("/huge.m4s");
  assert.deepEqual(await asked("/small.m4s", "/other.mp4"), [FIRST_BYTES]);
});

test("what is asked for comes after what is played", async () => {
  const priorities: unknown[] = [];
  const beginnings = new Beginnings({
    fetch(url, init) {
      priorities.push(init.priority);
      return fetch(url, init);
    },
    now: () => 0,
  });
  await beginnings.read([{ node: "a", url: `${nodes[0].url}/clear.m4s` }], 16);
  assert.deepEqual(priorities, ["low"]);
});

test("media in clear is read as it is", async () => {
  const { sights } = reader([nodes[0].url]);
  assert.deepEqual((await sights.still({ ...sight("/clear.m4s"), key: null }))?.bytes, new Uint8Array([5, 6]));
});

test("the segment of a moment is the one in which it lies, and in a hole there is none", () => {
  const decryptdata = { method: "AES-128", uri: "/key", iv: IV };
  const at = (start: number, more: Partial<Listed> = {}): Listed => ({ url: `${start}.m4s`, sn: start, start, duration: 2, initSegment: { url: "init" }, decryptdata, ...more });
  const listed = [at(10), at(12), at(14, { gap: true }), at(16), at(20, { decryptdata: null }), at(22, { initSegment: null }), at(24, { decryptdata: { ...decryptdata, method: "SAMPLE-AES" } })];
  const seen = (at_s: number) => sightAt(listed, at_s, "avc1")?.url ?? null;
  assert.deepEqual([9, 10, 11.9, 12, 14, 16, 18, 19, 20, 22, 24, 30].map(seen), [null, "10.m4s", "10.m4s", "12.m4s", null, "16.m4s", "16.m4s", null, "20.m4s", null, null, null]);
  assert.equal(sightAt([], 1, ""), null);
  assert.deepEqual(sightAt(listed, 10, "avc1"), { url: "10.m4s", init: "init", key: { url: "/key", iv: IV }, codec: "avc1" });
});

test("of a long recording, moments near each other have one picture between them, which stays theirs while the window moves on", () => {
  const listed = Array.from({ length: 5400 }, (_, n): Listed => ({ url: String(n), sn: n, start: n * 2, duration: 2, initSegment: { url: "init" }, decryptdata: null }));
  const seen = (from: number, n: number) => Number(sightAt(listed.slice(from), n * 2 + 1, "avc1")?.url);
  const all = listed.map((_, n) => seen(0, n));
  assert.ok(new Set(all).size <= PLACES_MAX, `${new Set(all).size} pictures`);
  // None is further away than half a place.
  all.forEach((shown, n) => assert.ok(Math.abs(shown - n) <= 5400 / PLACES_MAX / 2 + 1, `${shown} at ${n}`));
  for (const from of [1, 7, 20]) assert.equal(seen(from, 3000), seen(0, 3000));
  // Where the middle of a place is a hole, the moment's own segment is shown; in a hole there is nothing.
  const hole = Number(seen(0, 3000));
  listed[hole] = { ...(listed[hole] as Listed), gap: true };
  assert.equal(seen(0, 3000), 3000);
  assert.equal(sightAt(listed, hole * 2 + 1, "avc1"), null);
});

test("a rendition with nothing but sound has no pictures, and one of which nobody says what it has may have some", () => {
  assert.equal(pictureCodec({ audioCodec: "mp4a.40.2" }), null);
  assert.equal(pictureCodec({}), "");
  assert.equal(pictureCodec({ videoCodec: "avc1.4d401f", audioCodec: "mp4a.40.2" }), "avc1.4d401f");
});
