import assert from "node:assert/strict";
import { test } from "node:test";
import { NODES_MAX, NodeBook, PENALTY_MS, PENALTY_MS_MAX } from "../src/nodes";

const A = { id: "a", url: "https://cdn-a.example/live", up: true };
const B = { id: "b", url: "http://127.0.0.1:9002", up: true };
const C = { id: "c", url: "https://cdn-a.example/live/deeper", up: true };
const NAME = "table-1/source/897585960-1040.m4s";

function book(...nodes: (typeof A)[]): NodeBook {
  const made = new NodeBook();
  made.update(nodes);
  return made;
}

test("a URL belongs to the node with the longest base that it begins with", () => {
  const nodes = book(A, B, C);
  for (const [url, id] of [
    [`${A.url}/${NAME}`, "a"],
    [`${A.url}/${NAME}?token=x#y`, "a"],
    [`https://CDN-A.example:443/live/${NAME}`, "a"],
    [`${B.url}/${NAME}`, "b"],
    [`${C.url}/${NAME}`, "c"],
    [`https://cdn-a.example/lively/${NAME}`, undefined],
    [`https://other.example/live/${NAME}`, undefined],
    ["ftp://cdn-a.example/live/x", undefined],
    ["not a url", undefined],
  ] as const) {
    assert.equal(nodes.locate(url)?.id, id, url);
  }
});

test("the edge's choice comes first, then its order, nodes that it holds for down last", () => {
  const nodes = book({ ...A, up: false }, B, C);
  const ids = (url: string) => nodes.places({ name: NAME, url }, 0).map(({ node }) => node);
  assert.deepEqual(ids(`${C.url}/${NAME}`), ["c", "b", "a"]);
  assert.deepEqual(ids(`${A.url}/${NAME}`), ["a", "b", "c"]);
  assert.deepEqual(ids(`https://new.example/${NAME}`), [null, "b", "c", "a"]);
  assert.deepEqual(nodes.places({ name: NAME, url: null }, 0)[0], { node: "b", url: `${B.url}/${NAME}` });
  assert.deepEqual(nodes.places({ name: null, url: "https://x.example/y" }, 0), [{ node: null, url: "https://x.example/y" }]);
});

test("a query stays with its own node", () => {
  const nodes = book(A, B);
  const urls = nodes.places({ name: NAME, url: `${A.url}/${NAME}?secret=1` }, 0).map(({ url }) => url);
  assert.deepEqual(urls, [`${A.url}/${NAME}?secret=1`, `${B.url}/${NAME}`]);
});

test("a node that failed comes last for a while that doubles, and is back at once when it served", () => {
  const nodes = book(A, B);
  const first = (now_ms: number) => nodes.places({ name: NAME, url: `${A.url}/${NAME}` }, now_ms)[0]?.node;
  let now_ms = 1_000;
  for (let penalty = PENALTY_MS; penalty < 4 * PENALTY_MS_MAX; penalty *= 2) {
    assert.equal(first(now_ms), "a");
    nodes.failed("a", now_ms);
    // A second request that was under way doesn't count again.
    nodes.failed("a", now_ms + 1);
    const kept = Math.min(penalty, PENALTY_MS_MAX);
    assert.equal(first(now_ms + kept - 1), "b");
    now_ms += kept;
  }
  nodes.failed("a", now_ms);
  nodes.served("a");
  assert.equal(first(now_ms), "a");
  nodes.failed("a", now_ms);
  assert.equal(first(now_ms + PENALTY_MS), "a");
});

test("a node that another outran comes last when it happens twice in a row", () => {
  const nodes = book(A, B);
  assert.equal(nodes.outrun("a", 0), false);
  nodes.served("a");
  assert.equal(nodes.outrun("a", 0), false);
  assert.equal(nodes.penalised("a", 0), false);
  assert.equal(nodes.outrun("a", 0), true);
  assert.equal(nodes.penalised("a", 0), true);
});

test("what is no web address is no node, and their number is bounded", () => {
  const many = Array.from({ length: NODES_MAX + 5 }, (_, i) => ({ id: `n${i}`, url: `https://n${i}.example/`, up: true }));
  const nodes = book({ id: "x", url: "javascript:alert(1)", up: true }, { id: "y", url: "", up: true }, ...many);
  assert.equal(nodes.nodes.length, NODES_MAX - 2);
  assert.equal(nodes.nodes[0]?.url, "https://n0.example");
});
