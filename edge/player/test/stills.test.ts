import assert from "node:assert/strict";
import { beforeEach, mock, test } from "node:test";
import type { Sight } from "../src/sights";
import { AGAIN_MS, PICTURES_MAX, REST_MS, Stills } from "../src/stills";

beforeEach(() => {
  mock.timers.reset();
  mock.timers.enable({ apis: ["setTimeout"] });
});

const sight = (url: string): Sight => ({ url, init: "init", key: null, codec: "" });
const settled = () => new Promise((resolve) => setImmediate(resolve));

/** Makes pictures when the test says so; a picture is its segment's name. */
class Making {
  asked: string[] = [];
  made: string[] = [];
  now_ms = 0;
  may = true;
  #answer: ((bytes: Uint8Array | null | Error) => void)[] = [];
  readonly stills = new Stills<string>({
    may: () => this.may,
    read: async ({ url }) => {
      this.asked.push(url);
      const bytes = await new Promise<Uint8Array | null | Error>((resolve) => this.#answer.push(resolve));
      if (bytes instanceof Error) throw bytes;
      return bytes === null ? null : { codec: url, description: null, bytes };
    },
    draw: async ({ codec }) => codec,
    now: () => this.now_ms,
    made: (url) => void this.made.push(url),
  });
  /** Wants it for as long as it takes. */
  stay(url: string): string | undefined {
    const seen = this.stills.want(sight(url));
    mock.timers.tick(REST_MS);
    return seen.what === "picture" ? seen.picture : seen.what;
  }
  async answer(bytes: Uint8Array | null | Error = new Uint8Array(1)): Promise<void> {
    this.#answer.shift()?.(bytes);
    await settled();
  }
}

test("a picture is made once, and there is one at a time: the one that is wanted by then", async () => {
  const making = new Making();
  for (const url of ["a", "b", "c"]) assert.equal(making.stay(url), "coming");
  assert.deepEqual(making.asked, ["a"]);
  await making.answer();
  // Nobody waits for b any more.
  assert.deepEqual(making.asked, ["a", "c"]);
  await making.answer();
  assert.deepEqual(making.made, ["a", "c"]);
  assert.equal(making.stay("c"), "c");
  assert.equal(making.stay("a"), "a");
  await settled();
  assert.deepEqual(making.asked, ["a", "c"]);
});

test("a pointer that passes asks for nothing, and where it rests, moving a little there, for one picture", async () => {
  const making = new Making();
  for (let n = 0; n < 100; n += 1) {
    making.stills.want(sight(String(n)));
    mock.timers.tick(REST_MS - 1);
  }
  assert.deepEqual(making.asked, []);
  for (let n = 0; n < REST_MS; n += 1) {
    making.stills.want(sight("99"));
    mock.timers.tick(1);
  }
  assert.deepEqual(making.asked, ["99"]);
  await making.answer();
  // It goes on before that is made, and is elsewhere then.
  making.stay("a");
  making.stills.want(sight("b"));
  await making.answer();
  assert.deepEqual([making.asked, making.made], [["99", "a"], ["99", "a"]]);
});

test("when the viewer looks elsewhere, nothing more is made", async () => {
  const making = new Making();
  making.stay("a");
  making.stay("b");
  making.stills.want(null);
  await making.answer();
  mock.timers.tick(REST_MS);
  assert.deepEqual(making.asked, ["a"]);
});

test("what failed is tried again after a while, and what has no picture never", async () => {
  const making = new Making();
  making.stay("a");
  await making.answer(new Error("404"));
  assert.equal(making.stay("a"), "nothing");
  making.now_ms = AGAIN_MS - 1;
  assert.equal(making.stay("a"), "nothing");
  assert.deepEqual([making.asked, making.made], [["a"], []]);
  making.now_ms = AGAIN_MS;
  assert.equal(making.stay("a"), "coming");
  await making.answer();
  assert.deepEqual([making.asked, making.made], [["a", "a"], ["a"]]);
  making.stay("b");
  await making.answer(null);
  making.now_ms = 1e9;
  assert.equal(making.stay("b"), "nothing");
  assert.deepEqual(making.asked, ["a", "a", "b"]);
});

test("where there is no use in it, nothing is asked for, and what is there is shown", async () => {
  const making = new Making();
  making.stay("a");
  making.stay("b");
  making.may = false;
  await making.answer();
  assert.deepEqual([making.stay("a"), making.stay("b")], ["a", "nothing"]);
  assert.deepEqual(making.asked, ["a"]);
  // A pointer that has stayed there meanwhile is asked about again and again.
  making.may = true;
  making.stay("b");
  assert.deepEqual(making.asked, ["a", "b"]);
});

test("the pictures that were looked at last are kept, and no more of them than are named", async () => {
  const making = new Making();
  for (let n = 0; n <= PICTURES_MAX; n += 1) {
    making.stay(String(n));
    await making.answer();
    making.stay("0");
  }
  const asked = making.asked.length;
  assert.equal(making.stay("0"), "0");
  assert.equal(making.stay(String(PICTURES_MAX)), String(PICTURES_MAX));
  assert.equal(making.asked.length, asked);
  assert.equal(making.stay("1"), "coming");
});
