// What the player knows of the nodes: where each is, and which failed of late. No I/O, no clock.

import type { Wanted } from "./objects";

/** A node as `GET /api/channels` names it. */
export interface Node {
  id: string;
  /** Base URL without a trailing slash: an object's URL is `{url}/{name}`. */
  url: string;
  /** Whether the edge believes in it. */
  up: boolean;
}

/** One place to ask for an object. */
export interface Place {
  /** `null` where the URL is none of a node that we know. */
  node: string | null;
  url: string;
}

/** How long a node that failed comes last, in milliseconds: the first time, doubled each time, up to the second figure. */
export const PENALTY_MS = 5_000;
export const PENALTY_MS_MAX = 60_000;
/** The most nodes kept of an answer of the edge. */
export const NODES_MAX = 32;

interface Fault {
  failures: number;
  until_ms: number;
}

/** An absolute URL in its normal form without a trailing slash; `null` for what is no web address. */
function normal(url: string): string | null {
  try {
    const parsed = new URL(url);
    const web = parsed.protocol === "https:" || parsed.protocol === "http:";
    return web ? parsed.href.replace(/\/$/, "") : null;
  } catch {
    return null;
  }
}

/** The nodes of one channel, in the edge's order. */
export class NodeBook {
  #nodes: Node[] = [];
  #faults = new Map<string, Fault>();
  #outrun = new Set<string>();

  /** Replaces the list. What was learnt of a node that stays is kept. */
  update(nodes: readonly Node[]): void {
    this.#nodes = [];
    for (const node of nodes.slice(0, NODES_MAX)) {
      const url = normal(node.url);
      if (url !== null) this.#nodes.push({ id: node.id, url, up: node.up });
    }
  }

  get nodes(): readonly Node[] {
    return this.#nodes;
  }

  /** The node that a URL belongs to; `null` where it is none of ours. */
  locate(url: string): Node | null {
    const full = normal(url) ?? "";
    let best: Node | null = null;
    for (const node of this.#nodes) {
      const longer = best === null || node.url.length > best.url.length;
      if (longer && full.startsWith(`${node.url}/`)) best = node;
    }
    return best;
  }

  /** All places of an object, the best first: nodes without a recent failure, then the edge's choice, then the edge's order. */
  places({ name, url }: Wanted, now_ms: number): Place[] {
    const home = url === null ? null : this.locate(url);
    // Only its own node gets a URL as the playlist has it: a query may hold that node's secret.
    const places: Place[] = url !== null && home === null ? [{ node: null, url }] : [];
    const rank = (node: Node): number => {
      const own = node === home;
      return (this.penalised(node.id, now_ms) ? 4 : 0) + (own || node.up ? 0 : 2) + (own ? 0 : 1);
    };
    for (const node of [...this.#nodes].sort((a, b) => rank(a) - rank(b))) {
      if (node === home && url !== null) places.push({ node: node.id, url });
      else if (name !== null) places.push({ node: node.id, url: `${node.url}/${name}` });
    }
    return places;
  }

  /** Whether a node failed so recently that others come first. */
  penalised(id: string, now_ms: number): boolean {
    return (this.#faults.get(id)?.until_ms ?? 0) > now_ms;
  }

  failed(id: string, now_ms: number): void {
    // Failures of requests that were under way together count once.
    if (this.penalised(id, now_ms)) return;
    const failures = (this.#faults.get(id)?.failures ?? 0) + 1;
    const penalty = Math.min(PENALTY_MS * 2 ** Math.min(failures - 1, 10), PENALTY_MS_MAX);
    this.#faults.set(id, { failures, until_ms: now_ms + penalty });
  }

  /**
   * A node gave no byte before another, asked after it, gave everything: that happens. Twice in a row it is a failure, and
   * `true` is said.
   */
  outrun(id: string, now_ms: number): boolean {
    const again = this.#outrun.delete(id);
    if (again) this.failed(id, now_ms);
    else this.#outrun.add(id);
    return again;
  }

  served(id: string): void {
    this.#faults.delete(id);
    this.#outrun.delete(id);
  }
}
