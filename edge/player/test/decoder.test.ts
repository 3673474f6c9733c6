import assert from "node:assert/strict";
import { afterEach, test } from "node:test";
import { Decoder, FAILURES_MAX } from "../src/decoder";

/** As a browser's: it takes `avc1` only, can't draw anything that begins with a 0, and says how often it was asked what it takes. */
class Browser {
  static asked = 0;
  state = "unconfigured";
  #init: VideoDecoderInit;
  constructor(init: VideoDecoderInit) {
    this.#init = init;
  }
  static async isConfigSupported({ codec }: VideoDecoderConfig): Promise<VideoDecoderSupport> {
    Browser.asked += 1;
    if (codec === "") throw new TypeError("that is no codec");
    return { supported: codec.startsWith("avc1") };
  }
  configure(): void {
    this.state = "configured";
  }
  decode({ data }: { data: Uint8Array }): void {
    if (data[0] === 0) this.#init.error(new DOMException("broken", "EncodingError"));
    else this.#init.output({ displayWidth: 1280, displayHeight: 720, close() {} } as VideoFrame);
  }
  async flush(): Promise<void> {}
  close(): void {
    this.state = "closed";
  }
}

/** What is drawn on. */
const page = { createElement: () => ({ width: 0, height: 0, getContext: () => ({ drawImage() {} }) }) };
const names = { VideoDecoder: Browser, EncodedVideoChunk: class { constructor(init: object) { Object.assign(this, init); } }, document: page };
Object.assign(globalThis, names);
afterEach(() => (Browser.asked = 0));

const still = (first: number, description: Uint8Array | null = null) => ({ codec: "avc1.4d401f", description, bytes: new Uint8Array([first]) });

test("what no decoder takes is asked about once", async () => {
  const decoder = new Decoder();
  for (const codec of ["hvc1.1.6.L93.B0", "", "hvc1.1.6.L93.B0", ""]) assert.equal(await decoder.draws(codec, null), false);
  // With software and without.
  assert.equal(Browser.asked, 4);
  assert.equal(await decoder.draws("avc1.4d401f", null), true);
});

test("a coding of which one picture after another can't be drawn is given up, and no other one", async () => {
  const decoder = new Decoder();
  const { codec } = still(0);
  for (let n = 1; n < FAILURES_MAX; n += 1) await assert.rejects(decoder.draw(still(0)));
  // One that can be drawn says that the others were broken.
  assert.equal((await decoder.draw(still(1))).width, 384);
  for (let n = 1; n < FAILURES_MAX; n += 1) await assert.rejects(decoder.draw(still(0)));
  assert.equal(await decoder.draws(codec, null), true);
  await assert.rejects(decoder.draw(still(0)));
  assert.equal(await decoder.draws(codec, null), false);
  assert.equal(await decoder.draws(codec, new Uint8Array([1])), true);
});
