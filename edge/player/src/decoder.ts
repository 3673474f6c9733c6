// Draws a key frame, small, with the browser's own decoder (WebCodecs), which only pages of a secure origin have.

import type { Still } from "./sights";

/** How wide a picture is drawn, in pixels: twice what it takes on the page, for fine screens. */
const WIDTH_PX = 384;
/** Of one that is taller than wide, its height. */
const HEIGHT_PX_MAX = 384;
/** What a picture may take, in milliseconds. */
const DRAW_MS_MAX = 3_000;

/** After so many pictures of a coding, one after another, that could not be drawn, no other one is tried. */
export const FAILURES_MAX = 3;
/** The most codings of which it is kept whether they can be drawn. */
const CODINGS_MAX = 64;

export const canDraw = (): boolean => typeof VideoDecoder === "function";

class TooLong extends Error {}

export class Decoder {
  #decoder: VideoDecoder | null = null;
  #of = "";
  /** How a decoder is told of a coding, `null` where none takes it; and how many of its pictures failed, up to now. */
  #codings = new Map<string, { config: VideoDecoderConfig | null; failures: number }>();
  #hear: { drawn(canvas: HTMLCanvasElement): void; failed(error: unknown): void } | null = null;

  /** Whether pictures that are coded so can be drawn, as far as the browser says and as they have shown. */
  async draws(codec: string, description: Uint8Array | null): Promise<boolean> {
    const { config, failures } = await this.#coding(codec, description);
    return config !== null && failures < FAILURES_MAX;
  }

  /** Draws one picture; not to be called before the one before has come to an end. */
  async draw({ codec, description, bytes }: Still): Promise<HTMLCanvasElement> {
    const coding = await this.#coding(codec, description);
    try {
      const drawn = await this.#draw(name(codec, description), coding.config, bytes);
      coding.failures = 0;
      return drawn;
    } catch (error) {
      // A device that has much else to do may be quicker later.
      if (!(error instanceof TooLong)) coding.failures += 1;
      throw error;
    }
  }

  async #coding(codec: string, description: Uint8Array | null): Promise<{ config: VideoDecoderConfig | null; failures: number }> {
    const of = name(codec, description);
    const known = this.#codings.get(of);
    if (known !== undefined) return known;
    const asked = { config: await config(codec, description), failures: 0 };
    this.#codings.set(of, asked);
    for (const oldest of this.#codings.keys()) {
      if (this.#codings.size <= CODINGS_MAX) break;
      this.#codings.delete(oldest);
    }
    return asked;
  }

  async #draw(of: string, config: VideoDecoderConfig | null, bytes: Uint8Array): Promise<HTMLCanvasElement> {
    if (config === null) throw new Error(`${of} can't be decoded`);
    if (this.#decoder?.state !== "configured" || this.#of !== of) {
      if (this.#decoder === null || this.#decoder.state === "closed") this.#decoder = this.#open();
      this.#decoder.configure(config);
      this.#of = of;
    }
    const decoder = this.#decoder;
    let timer: ReturnType<typeof setTimeout> | undefined;
    try {
      return await new Promise<HTMLCanvasElement>((drawn, failed) => {
        this.#hear = { drawn, failed };
        timer = setTimeout(() => failed(new TooLong()), DRAW_MS_MAX);
        decoder.decode(new EncodedVideoChunk({ type: "key", timestamp: 0, data: bytes }));
        // Without an end, a decoder waits for pictures that may be shown before this one.
        decoder.flush().then(() => failed(new Error("there is no picture")), failed);
      });
    } catch (error) {
      // The next picture begins with another decoder.
      if (decoder.state !== "closed") decoder.close();
      throw error;
    } finally {
      clearTimeout(timer);
      this.#hear = null;
    }
  }

  #open(): VideoDecoder {
    return new VideoDecoder({
      output: (frame) => {
        const hear = this.#hear;
        try {
          hear?.drawn(small(frame));
        } catch (error) {
          hear?.failed(error);
        } finally {
          frame.close();
        }
      },
      error: (error) => this.#hear?.failed(error),
    });
  }
}

const name = (codec: string, description: Uint8Array | null): string => `${codec} ${description?.join() ?? ""}`;

/** In software where that can be: devices have few decoders in hardware, and the picture itself needs one. `null` where none can. */
async function config(codec: string, description: Uint8Array | null): Promise<VideoDecoderConfig | null> {
  const base: VideoDecoderConfig = { codec, optimizeForLatency: true };
  if (description !== null) base.description = description;
  for (const hardwareAcceleration of ["prefer-software", "no-preference"] as const) {
    const asked = { ...base, hardwareAcceleration };
    // It fails for what is no codec at all.
    const answer = await VideoDecoder.isConfigSupported(asked).catch(() => null);
    if (answer?.supported === true) return asked;
  }
  return null;
}

function small(frame: VideoFrame): HTMLCanvasElement {
  const [width, height] = [frame.displayWidth, frame.displayHeight];
  const scale = Math.min(1, WIDTH_PX / width, HEIGHT_PX_MAX / height);
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(width * scale));
  canvas.height = Math.max(1, Math.round(height * scale));
  const context = canvas.getContext("2d");
  if (context === null) throw new Error("there is nothing to draw on");
  context.imageSmoothingQuality = "high";
  context.drawImage(frame, 0, 0, canvas.width, canvas.height);
  return canvas;
}
