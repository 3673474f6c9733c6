// Draws a key frame, small, with the browser's own decoder (WebCodecs), which only pages of a secure origin have.

import type { Still } from "./sights";

/** How wide a picture is drawn, in pixels: twice what it takes on the page, for fine screens. */
const WIDTH_PX = 384;
/** Of one that is taller than wide, its height. */
const HEIGHT_PX_MAX = 384;
/** What a picture may take, in milliseconds. */
const DRAW_MS_MAX = 3_000;

export const canDraw = (): boolean => typeof VideoDecoder === "function";

export class Decoder {
  #decoder: VideoDecoder | null = null;
  #config: VideoDecoderConfig | null = null;
  #of = "";
  #hear: { drawn(canvas: HTMLCanvasElement): void; failed(error: unknown): void } | null = null;

  /** Draws one picture; not to be called before the one before has come to an end. */
  async draw({ codec, description, bytes }: Still): Promise<HTMLCanvasElement> {
    const of = `${codec} ${description?.join() ?? ""}`;
    if (this.#decoder?.state !== "configured" || this.#of !== of) {
      this.#config = await config(codec, description);
      this.#of = of;
      if (this.#decoder === null || this.#decoder.state === "closed") this.#decoder = this.#open();
      this.#decoder.configure(this.#config);
    }
    const decoder = this.#decoder;
    let timer: ReturnType<typeof setTimeout> | undefined;
    try {
      return await new Promise<HTMLCanvasElement>((drawn, failed) => {
        this.#hear = { drawn, failed };
        timer = setTimeout(() => failed(new Error("it takes too long")), DRAW_MS_MAX);
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

/** In software where that can be: devices have few decoders in hardware, and the picture itself needs one. */
async function config(codec: string, description: Uint8Array | null): Promise<VideoDecoderConfig> {
  const base: VideoDecoderConfig = { codec, optimizeForLatency: true };
  if (description !== null) base.description = description;
  for (const hardwareAcceleration of ["prefer-software", "no-preference"] as const) {
    const asked = { ...base, hardwareAcceleration };
    if ((await VideoDecoder.isConfigSupported(asked)).supported === true) return asked;
  }
  throw new Error(`${codec} can't be decoded`);
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
