// The line that names the node in use, and says when it became another one.

import { el, setText } from "./dom";

/** How long a change of the node stays on the page, in milliseconds. */
const REROUTE_SHOWN_MS = 12_000;

export class NodeLine {
  readonly line = el("p", { class: "status", "data-testid": "status" });
  #name = el("span", { class: "node", "data-testid": "node" });
  #note = el("span", { class: "note", "data-testid": "reroute" });
  #node: string | null = null;
  #changed_ms = Number.NEGATIVE_INFINITY;

  constructor() {
    this.line.append(this.#name, this.#note);
  }

  get node(): string | null {
    return this.#node;
  }

  /** Takes what node a segment came from; whether it is another one than before. */
  served(node: string | null, now_ms: number): boolean {
    const before = this.#node;
    if (node === before) return false;
    this.#node = node;
    this.#name.dataset["node"] = node ?? "";
    setText(this.#name, node === null ? "" : `Node ${node}`);
    if (before === null || node === null) return false;
    this.#changed_ms = now_ms;
    setText(this.#note, `re-routed from ${before}`);
    return true;
  }

  refresh(now_ms: number): void {
    if (now_ms - this.#changed_ms > REROUTE_SHOWN_MS) setText(this.#note, "");
  }
}
