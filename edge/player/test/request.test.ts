import assert from "node:assert/strict";
import { test } from "node:test";
import { type Asked, type Fetch, OBJECT_BYTES_MAX, request } from "../src/request";

const ASKED: Asked = { url: "http://a.example/x", headers: { range: "bytes=0-9" }, encrypted: false };

/** A body whose parts the test gives. */
function body(): { stream: ReadableStream<Uint8Array>; give(len: number): void; end(): void; break(): void } {
  let controller!: ReadableStreamDefaultController<Uint8Array>;
  const stream = new ReadableStream<Uint8Array>({ start: (made) => void (controller = made) });
  return {
    stream,
    give: (len) => controller.enqueue(new Uint8Array(len).fill(7)),
    end: () => controller.close(),
    break: () => controller.error(new TypeError("network error")),
  };
}

/** Everything that has happened so far is heard. */
const settled = () => new Promise((resolve) => setImmediate(resolve));

function listen(fetch: Fetch, asked: Partial<Asked> = {}) {
  const heard: string[] = [];
  const cancel = request(fetch, { ...ASKED, ...asked }, {
    first: (total) => heard.push(`first ${total}`),
    bytes: (loaded) => heard.push(`bytes ${loaded}`),
    whole: (whole) => heard.push(`whole ${whole.byteLength} ${new Uint8Array(whole).every((byte) => byte === 7)}`),
    failed: (status, why) => heard.push(`failed ${status}: ${why}`),
  });
  return { heard, cancel };
}

const answer = (stream: ReadableStream<Uint8Array> | null, headers: Record<string, string> = {}, status = 200): Fetch =>
  async () => new Response(stream, { status, headers });

test("what comes is told part by part, then whole", async () => {
  const sent = body();
  const inits: RequestInit[] = [];
  const { heard } = listen(async (url, init) => {
    assert.equal(url, ASKED.url);
    inits.push(init);
    return new Response(sent.stream, { headers: { "content-length": "48" } });
  });
  await settled();
  assert.deepEqual(heard, ["first 48"]);
  assert.deepEqual(inits[0]?.headers, ASKED.headers);
  sent.give(16);
  await settled();
  sent.give(32);
  sent.end();
  await settled();
  assert.deepEqual(heard, ["first 48", "bytes 16", "bytes 48", "whole 48 true"]);
});

test("a refused connection and a status that is no success", async () => {
  const refused = listen(() => Promise.reject(new TypeError("Failed to fetch")));
  await settled();
  assert.deepEqual(refused.heard, ["failed 0: Failed to fetch"]);
  for (const status of [404, 503, 403]) {
    const { heard } = listen(answer(body().stream, {}, status));
    await settled();
    assert.deepEqual(heard, [`failed ${status}: `]);
  }
});

test("a body that ends too early, breaks off, is empty, or has a length that no encrypted object has", async () => {
  const early = body();
  const short = listen(answer(early.stream, { "content-length": "64" }));
  early.give(32);
  early.end();
  await settled();
  assert.equal(short.heard.at(-1), "failed 0: 32 bytes came of 64");

  const broken = body();
  const off = listen(answer(broken.stream));
  broken.give(32);
  await settled();
  broken.break();
  await settled();
  assert.deepEqual(off.heard, ["first null", "bytes 32", "failed 0: network error"]);

  const empty = listen(answer(null));
  await settled();
  assert.equal(empty.heard.at(-1), "failed 0: an object can't have 0 bytes");

  for (const [len, encrypted, end] of [
    [48, true, "whole 48 true"],
    [47, true, "failed 0: an object can't have 47 bytes"],
    [47, false, "whole 47 true"],
  ] as const) {
    const sent = body();
    const { heard } = listen(answer(sent.stream), { encrypted });
    sent.give(len);
    sent.end();
    await settled();
    assert.equal(heard.at(-1), end);
  }
});

test("what claims to be too large, or is, is not taken", async () => {
  const claims = listen(answer(body().stream, { "content-length": String(OBJECT_BYTES_MAX + 1) }));
  await settled();
  assert.deepEqual(claims.heard, [`failed 0: ${OBJECT_BYTES_MAX + 1} bytes are too many`]);
  const sent = body();
  const { heard } = listen(answer(sent.stream));
  sent.give(OBJECT_BYTES_MAX);
  sent.give(1);
  await settled();
  assert.equal(heard.at(-1), "failed 0: it has too many bytes");
});

test("after a cancel the connection is given up and nothing more is heard", async () => {
  for (const when of ["before", "during"] as const) {
    const sent = body();
    let signal: AbortSignal | null | undefined;
    const { heard, cancel } = listen(async (_url, init) => {
      signal = init.signal;
      return new Response(sent.stream);
    });
    if (when === "during") {
      sent.give(16);
      await settled();
    }
    const before = heard.length;
    cancel();
    assert.equal(signal?.aborted, true);
    sent.give(16);
    sent.end();
    await settled();
    assert.equal(heard.length, before);
  }
});
