import assert from "node:assert/strict";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, test } from "node:test";
import { Beginnings, contentKey, inClear } from "../src/beginning";
import { type Listed, type Sight, PLACES_MAX, sightAt, Sights } from "../src/sights";
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
  objects.set("/large.m4s", await encrypted(segment(KEY_FRAME, 49)));
  objects.set("/small.m4s", await encrypted(segment([1, 2, 3, 4], 49)));
  objects.set("/clear.m4s", segment([5, 6], 1));
  nodes = [await new Node(objects, true).open(), await new Node(objects, false).open()];
});
after(() => Promise.all(nodes.map((node) => node.close())));

const sight = (url: string): Sight => ({ url, init: "/init.mp4", key: { url: "/key", iv: IV }, codec: "avc1.640028" });

function reader(order: readonly string[]): { sights: Sights; keys(): number } {
  let keys = 0;
  const beginnings = new Beginnings({ fetch: (url, init) => fetch(url, init), now: () => 0 });
  const places = (name: string) => order.map((url, n) => ({ node: String(n), url: `${url}${name}` }));
  const key = async () => {
    keys += 1;
    return SECRET.slice().buffer;
  };
  return { sights: new Sights({ beginnings, places, key }), keys: () => keys };
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
  assert.equal(keys(), 1);
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
  const beginnings = new Beginnings({ fetch: (url, init) => fetch(url, init), now: () => 0 });
  const places = (name: string) => [{ node: "a", url: `${nodes[0].url}${name}` }];
  const refused = new Sights({ beginnings, places, key: () => Promise.reject(new Error("401")) });
  await assert.rejects(refused.still(sight("/small.m4s")), /401/);
  // With another key, what comes out is nothing.
  const wrong = new Sights({ beginnings, places, key: async () => new Uint8Array(16).buffer });
  assert.equal(await wrong.still(sight("/small.m4s")), null);
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
