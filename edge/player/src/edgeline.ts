// A line to the edge, on which it tells of nodes the moment that they change: where the host has such, as `nodes.json` says.
// Elsewhere the player goes on asking.

import type { Nodes } from "./api";
import type { Node } from "./nodes";

/** Before a line that was open is opened again, in milliseconds: at first, doubled each time up to the second figure. */
export const AGAIN_MS = 1_000;
export const AGAIN_MS_MAX = 30_000;
/** Players don't come back all at the same moment: up to this share later. */
export const JITTER = 0.5;
/** The longest message that is read, in characters. */
export const MESSAGE_LEN_MAX = 65_536;

/** The edge closes a line with this code where the session has others, such as those of other tabs. */
export const OUTDONE = 4001;

/** As much of a WebSocket as is needed. */
export interface Socket {
  onmessage: ((event: { data: unknown }) => void) | null;
  onclose: ((event: { code: number }) => void) | null;
}

/** How it reaches the edge and the page. */
export interface Ports {
  open(): Socket;
  /** `null` for what is no list of nodes. */
  read(text: string): Nodes | null;
  take(nodes: readonly Node[]): void;
  random(): number;
}

export class EdgeLine {
  #ports: Ports;
  #told = false;
  #begun = false;
  #again_ms = AGAIN_MS;

  constructor(ports: Ports) {
    this.#ports = ports;
  }

  /** Whether the edge tells on this line at the moment, so that asking is hardly needed. */
  get told(): boolean {
    return this.#told;
  }

  /** Opens the line, the first time that it is called. One on which nothing is ever told is not opened again. */
  start(): void {
    if (this.#begun) return;
    this.#begun = true;
    this.#open();
  }

  #open(): void {
    let ever = false;
    const socket = this.#ports.open();
    socket.onmessage = ({ data }) => {
      const answer = typeof data === "string" && data.length <= MESSAGE_LEN_MAX ? this.#ports.read(data) : null;
      if (answer === null) return;
      this.#told = ever = true;
      this.#again_ms = AGAIN_MS;
      this.#ports.take(answer.nodes);
    };
    socket.onclose = ({ code }) => {
      // Opened again, it would end another one.
      const reopen = code !== OUTDONE && (ever || this.#again_ms > AGAIN_MS);
      this.#told = false;
      if (!reopen) return;
      const ms = this.#again_ms * (1 + JITTER * this.#ports.random());
      this.#again_ms = Math.min(this.#again_ms * 2, AGAIN_MS_MAX);
      setTimeout(() => this.#open(), ms);
    };
  }
}
