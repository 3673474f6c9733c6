// The line with an address for others.

import { el, setText } from "./dom";

export class ShareLine {
  readonly line: HTMLElement;
  #link = el("input", { type: "text", readonly: true, "aria-label": "Link to the clip", "data-testid": "clip-link" });
  #note = el("span", { role: "status" });

  constructor() {
    const copy = el("button", { type: "button", class: "primary" }, "Copy link");
    copy.addEventListener("click", () => void this.#copy());
    const send = el("button", { type: "button", hidden: typeof navigator.share !== "function" }, "Send");
    send.addEventListener("click", () => void navigator.share({ url: this.#link.value }).catch(() => undefined));
    const close = el("button", { type: "button", "aria-label": "Close" }, "×");
    close.addEventListener("click", () => (this.line.hidden = true));
    this.line = el("div", { class: "share-line", hidden: true }, this.#link, copy, send, close, this.#note);
  }

  offer(link: string): void {
    this.#link.value = link;
    this.line.hidden = false;
    setText(this.#note, "Whoever opens it needs a pass.");
    this.#link.focus();
    this.#link.select();
  }

  async #copy(): Promise<void> {
    try {
      await navigator.clipboard.writeText(this.#link.value);
      setText(this.#note, "Copied.");
    } catch {
      // Not every page may write there: the text is selected for a copy by hand.
      this.#link.select();
      setText(this.#note, "Copy the selected text.");
    }
  }
}
