import assert from "node:assert/strict";
import { test } from "node:test";
import { OBJECT_BASE, OBJECTS_MAX, Objects, onePathway, partsAtNodes } from "../src/objects";

const playlist = (base: string, query = "") => `#EXTM3U
#EXT-X-TARGETDURATION:2
#EXT-X-KEY:METHOD=AES-128,URI="../../../key/table-1/7",IV=0x01
#EXT-X-MAP:URI="${base}/table-1/source/init-ba7816bf8f01cfea.mp4${query}"
#EXTINF:2.000,
${base}/table-1/source/897585960-1040.m4s${query}
`;

test("a playlist reads the same whichever node it points to", () => {
  const objects = new Objects("table-1");
  const canonical = playlist(OBJECT_BASE);
  for (const [base, query] of [
    ["http://127.0.0.1:9001", ""],
    ["https://cdn.example/deep/bucket", "?token=a/b&c=1"],
    ["https://cdn.example/table-1/x", ""],
  ] as const) {
    assert.equal(objects.rewrite(playlist(base, query)), canonical);
    const name = "table-1/source/897585960-1040.m4s";
    assert.deepEqual(objects.find(`${OBJECT_BASE}/${name}`), { name, url: `${base}/${name}${query}` });
  }
});

test("a part is an object of the channel as its segment is", () => {
  const objects = new Objects("table-1");
  const part = (base: string) => `#EXT-X-PART:DURATION=0.33400,URI="${base}/_parts/table-1/source/897585960-40-334.m4s",INDEPENDENT=YES\n`;
  for (const base of ["http://127.0.0.1:9001/bucket", "https://cdn.example"]) {
    assert.equal(objects.rewrite(part(base)), part(OBJECT_BASE));
    const name = "_parts/table-1/source/897585960-40-334.m4s";
    assert.deepEqual(objects.find(`${OBJECT_BASE}/${name}`), { name, url: `${base}/${name}` });
  }
  const other = part("https://cdn.example").replace("table-1", "table-2");
  assert.equal(objects.rewrite(other), other);
});

test("hls.js sees the first pathway only, and no steering", () => {
  const variant = (pathway: string, rendition: string) =>
    `#EXT-X-STREAM-INF:BANDWIDTH=1,CODECS="avc1.64001f,mp4a.40.2",PATHWAY-ID="${pathway}"\n${pathway}/${rendition}.m3u8\n`;
  const head = "#EXTM3U\n#EXT-X-VERSION:7\n";
  const steering = '#EXT-X-CONTENT-STEERING:SERVER-URI="../../steer/table-1",PATHWAY-ID="b"\n';
  const two = (pathway: string) => variant(pathway, "source") + variant(pathway, "low");
  assert.equal(onePathway(head + steering + two("b") + two("a")), head + two("b"));
  assert.equal(onePathway(head + two("a")), head + two("a"));
  const media = playlist("https://a.example");
  assert.equal(onePathway(media), media);
  const plain = `${head}#EXT-X-STREAM-INF:BANDWIDTH=1\nx.m3u8\n`;
  assert.equal(onePathway(plain), plain);
});

test("of a multivariant playlist with sounds beside pictures, those of the first pathway are left", () => {
  const sound = (node: string) => `#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="sound-${node}",NAME="A",URI="${node}/audio.m3u8"\n`;
  const variant = (node: string) => `#EXT-X-STREAM-INF:BANDWIDTH=1,AUDIO="sound-${node}",PATHWAY-ID="${node}"\n${node}/source.m3u8\n`;
  const captions = '#EXT-X-MEDIA:TYPE=CLOSED-CAPTIONS,GROUP-ID="captions",NAME="CC1"\n';
  const head = `#EXTM3U\n${captions}`;
  const all = head + sound("b") + sound("a") + variant("b") + variant("a");
  assert.equal(onePathway(all), head + sound("b") + variant("b"));
});

test("each media playlist is asked for with its parts at nodes", () => {
  const head = "#EXTM3U\n#EXT-X-VERSION:7\n";
  const variant = (query: string) => `#EXT-X-STREAM-INF:BANDWIDTH=1\na/source.m3u8${query}\n`;
  assert.equal(partsAtNodes(head + variant("") + variant("")), head + variant("?parts=nodes") + variant("?parts=nodes"));
  assert.equal(partsAtNodes(variant("?until=5")), variant("?until=5&parts=nodes"), "beside what is asked for already");
  const media = playlist("https://a.example");
  assert.equal(partsAtNodes(media), media);
});

test("what is no object of the channel stays as it is", () => {
  const objects = new Objects("table-1");
  for (const text of [
    "https://cdn.example/table-2/source/1-0.m4s",
    "https://cdn.example/table-1/source/deeper/1-0.m4s",
    "https://cdn.example/_parts/table-1/1-0-0.m4s",
    "a/source.m3u8",
    '#EXT-X-KEY:METHOD=AES-128,URI="https://edge.example/key/table-1/7"',
  ]) {
    assert.equal(objects.rewrite(text), text);
  }
  assert.deepEqual(objects.find("https://cdn.example/1.m4s"), { name: null, url: "https://cdn.example/1.m4s" });
});

test("the oldest objects are forgotten, not the newest", () => {
  const objects = new Objects("t");
  const lines = Array.from({ length: OBJECTS_MAX + 10 }, (_, i) => `http://n.example/t/r/${i}-0.m4s`);
  objects.rewrite(lines.join("\n"));
  const url = (i: number) => objects.find(`${OBJECT_BASE}/t/r/${i}-0.m4s`).url;
  assert.equal(url(9), null);
  assert.equal(url(10), lines[10]);
  assert.equal(url(OBJECTS_MAX + 9), lines[OBJECTS_MAX + 9]);
});
