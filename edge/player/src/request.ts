// One request for an object at one place: what comes of it is told byte by byte, and checked when it is whole.

/** The largest object, in bytes. */
export const OBJECT_BYTES_MAX = 64 << 20;
/** What an encrypted object is a multiple of, in bytes: AES-128-CBC's block. */
const BLOCK_BYTES = 16;

export type Fetch = (url: string, init: RequestInit) => Promise<Response>;

/** What is asked for. */
export interface Asked {
  url: string;
  headers: Record<string, string>;
  /** It is encrypted, so that not every length can be right. */
  encrypted: boolean;
}

/** Who hears what comes of a request: `first`, then `bytes` again and again, then `whole`; or `failed` at any time. */
export interface Hearer {
  /** The head of a successful answer; the body's length where it is said. */
  first(total: number | null): void;
  bytes(loaded: number): void;
  whole(body: ArrayBuffer, response: Response): void;
  /** The status, 0 where there was no connection or the body is not what it should be, and why in words. */
  failed(status: number, why: string): void;
}

/** Asks. Gives what cancels it; after that nothing more is heard. */
export function request(fetch: Fetch, { url, headers, encrypted }: Asked, hearer: Hearer): () => void {
  const controller = new AbortController();
  /** Nothing more is heard: it is whole, has failed, or was over. */
  let over = false;
  const stop = (status: number, why: string) => {
    if (over) return;
    over = true;
    // What is left of the answer isn't wanted.
    controller.abort();
    hearer.failed(status, why);
  };
  const run = async () => {
    const response = await fetch(url, { headers, credentials: "same-origin", signal: controller.signal });
    if (over) return;
    if (!response.ok) return stop(response.status, response.statusText);
    const total = length(response.headers.get("content-length"));
    if (total !== null && total > OBJECT_BYTES_MAX) return stop(0, `${total} bytes are too many`);
    hearer.first(total);
    const parts: Uint8Array[] = [];
    let loaded = 0;
    const reader = response.body?.getReader();
    for (;;) {
      const read = await reader?.read();
      if (over) return;
      if (read === undefined || read.done) break;
      parts.push(read.value);
      loaded += read.value.byteLength;
      if (loaded > OBJECT_BYTES_MAX) return stop(0, "it has too many bytes");
      hearer.bytes(loaded);
    }
    if (total !== null && loaded !== total) return stop(0, `${loaded} bytes came of ${total}`);
    if (loaded === 0 || (encrypted && loaded % BLOCK_BYTES !== 0)) return stop(0, `an object can't have ${loaded} bytes`);
    over = true;
    hearer.whole(joined(parts, loaded), response);
  };
  run().catch((error: unknown) => stop(0, error instanceof Error ? error.message : "it broke off"));
  return () => {
    if (over) return;
    over = true;
    controller.abort();
  };
}

function length(header: string | null): number | null {
  return header !== null && /^\d{1,12}$/.test(header) ? Number(header) : null;
}

function joined(parts: readonly Uint8Array[], len: number): ArrayBuffer {
  const whole = new Uint8Array(len);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.byteLength;
  }
  return whole.buffer;
}
