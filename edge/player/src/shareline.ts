// The line with an address for others.

import { el, setText } from "./dom";
import { t } from "./texts";

export class ShareLine {
  readonly line: HTMLElement;
  #link = el("input", { type: "text", readonly: true, "aria-label": t("link"), "data-testid": "clip-link" });
  #note = el("span", { role: "status" });

  constructor() {
    const copy = el("button", { type: "button", class: "primary" }, t("copy_link"));
    copy.addEventListener("click", () => void this.#copy());
    const send = el("button", { type: "button", hidden: typeof navigator.share !== "function" }, t("send"));
    send.addEventListener("click", () => void navigator.share({ url: this.#link.value }).catch(() => undefined));
    const close = el("button", { type: "button", "aria-label": t("close") }, "×");
    close.addEventListener("click", () => (this.line.hidden = true));
    this.line = el("div", { class: "share-line", hidden: true }, this.#link, copy, send, close, this.#note);
  }

  offer(link: string): void {
    this.#link.value = link;
    this.line.hidden = false;
    setText(this.#note, t("needs_pass"));
    this.#link.focus();
    this.#link.select();
  }

  async #copy(): Promise<void> {
    try {
      await navigator.clipboard.writeText(this.#link.value);
      setText(this.#note, t("copied"));
    } catch {
      // Not every page may write there: the text is selected for a copy by hand.
      this.#link.select();
      setText(this.#note, t("copy_selected"));
    }
  }
}
