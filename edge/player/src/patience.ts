// How long a node may take to its first byte before another one is asked, learnt from how long it took of late. No I/O,
// no clock.

/** The first bytes remembered of a node: a newer one replaces the oldest. */
export const REMEMBERED_MAX = 64;
/** With fewer than these of its own, a node is judged by those of all nodes. */
export const OWN_MIN = 5;
/** The share of first bytes that come in time. */
export const IN_TIME = 0.95;
/** What is waited without any experience, and at least and at most with it, in milliseconds. */
export const PATIENCE_MS = 1_000;
export const PATIENCE_MS_MIN = 150;
export const PATIENCE_MS_MAX = 2_000;
/** The most nodes remembered: the one that was heard of longest ago is forgotten. */
export const NODES_REMEMBERED_MAX = 64;

/** The smallest of the times that so large a share of them doesn't exceed. `times` isn't empty. */
export function percentile(times: readonly number[], share: number): number {
  const sorted = [...times].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0;
}

export class Patience {
  #times = new Map<string, number[]>();

  /** A node's first byte came after this time. */
  learn(node: string, first_ms: number): void {
    const times = this.#times.get(node) ?? [];
    times.push(Math.max(0, first_ms));
    if (times.length > REMEMBERED_MAX) times.shift();
    this.#times.delete(node);
    this.#times.set(node, times);
    for (const oldest of this.#times.keys()) {
      if (this.#times.size <= NODES_REMEMBERED_MAX) break;
      this.#times.delete(oldest);
    }
  }

  /** How long a node's first byte is waited for, in milliseconds; `null`: a place that is none of a node's. */
  of(node: string | null): number {
    const own = node === null ? [] : (this.#times.get(node) ?? []);
    const times = own.length >= OWN_MIN ? own : [...this.#times.values()].flat();
    if (times.length < OWN_MIN) return PATIENCE_MS;
    return Math.min(Math.max(percentile(times, IN_TIME), PATIENCE_MS_MIN), PATIENCE_MS_MAX);
  }
}
