import assert from "node:assert/strict";
import { test } from "node:test";
import { Beacons, EVERY_MS, line, LINES_MAX, POST_BYTES_MAX, REFUSED_MS, SAMPLE, URGENT_EVERY_MS, URGENT_MS } from "../src/beacons";
import type { Answer } from "../src/race";

const WELL: Answer = {
  place: { node: "a", url: "https://cdn.example/live/t/source/1-0.m4s?token=secret#x" },
  right: true,
  status: 200,
  began_ms: 5_000.4,
  first_ms: 31.6,
  last_ms: 250.2,
};
const REFUSED: Answer = { ...WELL, right: false, status: 0, first_ms: null, last_ms: null };
const ORIGIN_MS = 1_795_000_000_000;
const always = () => new Beacons(ORIGIN_MS, () => 0);

test("a response is one line, without the URL's query", () => {
  assert.equal(line(WELL, ORIGIN_MS), 'e=rr,rc=200,ts=1795000005000,ttfb=32,ttlb=250,url="https://cdn.example/live/t/source/1-0.m4s",v=2');
  assert.equal(line(REFUSED, ORIGIN_MS), 'e=rr,rc=0,ts=1795000005000,url="https://cdn.example/live/t/source/1-0.m4s",v=2');
  assert.match(line({ ...REFUSED, status: null }, ORIGIN_MS) ?? "", /^e=rr,rc=0,/);
  assert.match(line({ ...REFUSED, status: 503 }, ORIGIN_MS) ?? "", /^e=rr,rc=503,/);
});

test("what can't be said in a line isn't, and a quote ends no string", () => {
  const at = (url: string) => line({ ...WELL, place: { node: "a", url } }, ORIGIN_MS);
  assert.equal(at("no url"), null);
  assert.equal(at(`https://a.example/${"x".repeat(2_000)}`), null);
  for (const url of ['https://a.example/"x', "https://a.example/x\ny", "https://a.example/é"]) {
    const text = at(url) ?? "";
    assert.match(text, /^e=rr,rc=200,ts=\d+,ttfb=32,ttlb=250,url="https:\/\/a\.example\/[!-~]*",v=2$/);
    assert.equal(text.split('"').length, 3);
  }
});

test("of what came well a share is told, of what failed everything", () => {
  let chance = SAMPLE;
  const beacons = new Beacons(ORIGIN_MS, () => chance);
  beacons.add(WELL, 0);
  assert.equal(beacons.take(0), null);
  beacons.add(REFUSED, 0);
  chance = SAMPLE - 0.01;
  beacons.add(WELL, 0);
  assert.deepEqual(beacons.take(0)?.split("\n").map((text) => text.slice(0, 8)), ["e=rr,rc=", "e=rr,rc=", ""]);
});

test("posts come five seconds apart, and soon after a failure, but not faster than each second", () => {
  const beacons = always();
  assert.equal(beacons.due(), null);
  beacons.add(WELL, 1_000);
  assert.equal(beacons.due(), 1_000 + EVERY_MS);
  beacons.add(REFUSED, 2_000);
  beacons.add(REFUSED, 2_200);
  assert.equal(beacons.due(), 2_000 + URGENT_MS);
  assert.ok(beacons.take(2_250));
  assert.equal(beacons.due(), null);
  beacons.add(REFUSED, 2_300);
  assert.equal(beacons.due(), 2_250 + URGENT_EVERY_MS);
  assert.ok(beacons.take(3_250));
  beacons.add(WELL, 3_300);
  assert.equal(beacons.due(), 3_300 + EVERY_MS);
});

test("a post is bounded in lines and bytes, and the oldest lines go", () => {
  const beacons = always();
  const long = (n: number) => ({ ...REFUSED, place: { node: "a", url: `https://a.example/${"x".repeat(700)}/${n}` } });
  for (let n = 0; n < 3 * LINES_MAX; n += 1) beacons.add(long(n), 0);
  let all = "";
  for (let body = beacons.take(0); body !== null; body = beacons.take(0)) {
    assert.ok(body.length <= POST_BYTES_MAX, String(body.length));
    all += body;
  }
  const lines = all.trimEnd().split("\n");
  assert.equal(lines.length, LINES_MAX);
  assert.ok(lines[0]?.endsWith(`/${2 * LINES_MAX}",v=2`));
});

test("an edge that takes none is left alone for a while", () => {
  const beacons = always();
  beacons.add(REFUSED, 0);
  beacons.refused(10);
  assert.equal(beacons.due(), null);
  beacons.add(REFUSED, REFUSED_MS);
  assert.equal(beacons.due(), null);
  beacons.add(REFUSED, REFUSED_MS + 10);
  assert.notEqual(beacons.due(), null);
});
