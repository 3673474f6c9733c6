// Questions over the picture: one is seen at a time, with the keyboard in it, and the picture behind it is left as it is.

import { el } from "./dom";

/** The kinds of questions, the most pressing first: without a session no other one can be answered. */
const KINDS = ["login", "screens"] as const;

export type Kind = (typeof KINDS)[number];

/** The id of the element in a question that names it. */
export const TITLE_ID = "panel-title";

export class Panel {
  /** Goes beside the picture; nothing is in it while there is no question. */
  readonly place = el("div", { class: "panel-place", "data-testid": "panel" });
  #questions = new Map<Kind, HTMLElement>();
  #back: Element | null = null;

  asks(kind: Kind): boolean {
    return this.#questions.has(kind);
  }

  /** Asks; `content` has an element with the id {@link TITLE_ID}. The first of its fields or buttons gets the keyboard. */
  show(kind: Kind, ...content: Node[]): void {
    const question = el("section", { class: "panel card", role: "dialog", "aria-labelledby": TITLE_ID, "data-kind": kind }, ...content);
    this.#questions.set(kind, question);
    this.#draw();
  }

  /** Takes a question away; the keyboard goes to the next one, or to where it was, or to the controls. */
  close(kind: Kind): void {
    if (this.#questions.delete(kind)) this.#draw();
  }

  #draw(): void {
    const before = this.place.firstElementChild;
    const top = KINDS.map((kind) => this.#questions.get(kind)).find((question) => question !== undefined) ?? null;
    if (top === before) return;
    const had = before?.contains(document.activeElement) ?? false;
    if (before === null) this.#back = document.activeElement;
    this.place.replaceChildren(...(top === null ? [] : [top]));
    if (top !== null) top.querySelector<HTMLElement>("input, button, a")?.focus();
    else if (had) (this.#back instanceof HTMLButtonElement ? this.#back : document.querySelector<HTMLElement>(".bar button"))?.focus();
  }
}
