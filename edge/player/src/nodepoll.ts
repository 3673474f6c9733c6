// Asks the edge again and again where the channel's nodes are and which of them are well: how a node that died leaves every
// player's list before its next failure.

import type { Nodes } from "./api";
import type { Node } from "./nodes";

/** Between two questions, in milliseconds: by default, at least and at most. */
export const TTL_MS = 5_000;
export const TTL_MS_MIN = 1_000;
export const TTL_MS_MAX = 30_000;
/** The least time between two questions, however many segments fail, in milliseconds. */
export const URGENT_EVERY_MS = 1_000;
/** Players don't ask all at the same moment: up to this share sooner or later. */
export const JITTER = 0.2;

/** How it reaches the edge and the page. */
export interface Ports {
  /** `null` from an edge that doesn't tell. Fails where it can't be asked. */
  ask(): Promise<Nodes | null>;
  take(nodes: readonly Node[]): void;
  /** This edge doesn't tell: something failed, and another way must do. */
  otherwise(): void;
  /** What the edge failed with; resolves when it may be asked again. */
  failed(error: unknown): Promise<void>;
  /** Whether somebody watches what is live, so that it matters soon. */
  watched(): boolean;
  now(): number;
  random(): number;
}

export class NodePoll {
  #ports: Ports;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #asked_ms = Number.NEGATIVE_INFINITY;
  #busy = false;
  /** Something failed since the question that is under way was asked. */
  #urgent = false;
  #told = true;

  constructor(ports: Ports) {
    this.#ports = ports;
  }

  /** Whether this edge tells. */
  get told(): boolean {
    return this.#told;
  }

  /** Asks for the first time; resolves when that is answered. */
  start(): Promise<void> {
    return this.#ask();
  }

  /** Something failed: asks as soon as may be. */
  hurry(): void {
    if (!this.#told) this.#ports.otherwise();
    else if (this.#busy) this.#urgent = true;
    else this.#later(Math.max(0, this.#asked_ms + URGENT_EVERY_MS - this.#ports.now()));
  }

  #later(ms: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#ask(), ms);
  }

  async #ask(): Promise<void> {
    const ports = this.#ports;
    this.#busy = true;
    this.#urgent = false;
    this.#asked_ms = ports.now();
    let ttl_ms = TTL_MS;
    try {
      const answer = await ports.ask();
      this.#told = answer !== null;
      if (answer !== null) ports.take(answer.nodes);
      ttl_ms = answer === null ? TTL_MS_MAX : (answer.ttl_ms ?? TTL_MS);
    } catch (error) {
      await ports.failed(error);
    } finally {
      this.#busy = false;
    }
    const usual_ms = Math.min(Math.max(ports.watched() ? ttl_ms : TTL_MS_MAX, TTL_MS_MIN), TTL_MS_MAX);
    const jittered_ms = usual_ms * (1 + JITTER * (2 * ports.random() - 1));
    this.#later(Math.max(TTL_MS_MIN, jittered_ms));
    if (this.#urgent) this.hurry();
  }
}
