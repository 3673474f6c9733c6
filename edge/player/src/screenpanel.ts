// What a viewer is asked about the pass's screens.

import { el, setText } from "./dom";
import { type Panel, TITLE_ID } from "./panel";
import type { Lease, Screen } from "./screens";

const TIME = new Intl.DateTimeFormat("en", { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
const UNREACHED = "Railbird can't be reached. Try again.";

/** A button that does something at the edge, and says so when that can't be done. */
function action(label: string, test: string, message: HTMLElement, run: () => Promise<void>): HTMLButtonElement {
  const button = el("button", { type: "button", class: "primary", "data-testid": test }, label);
  button.addEventListener("click", () => {
    button.disabled = true;
    setText(message, "");
    run().catch(() => {
      button.disabled = false;
      setText(message, UNREACHED);
      button.focus();
    });
  });
  return button;
}

const title = (text: string) => el("h2", { id: TITLE_ID }, text);
const alert = () => el("p", { class: "message", role: "alert", "data-testid": "message" });

/** As many devices play as may: which of them shall stop? */
export function askWhich(panel: Panel, lease: Lease, screens: readonly Screen[]): void {
  const message = alert();
  const one = screens.length === 1;
  const items = screens.map(({ id, name, since_ms }) => {
    const about = el("span", { class: "about" }, since_ms === null ? "" : `since ${TIME.format(since_ms)}`);
    const label = one ? "Stop the other one and play here" : "Stop it and play here";
    const button = action(label, "take-over", message, () => lease.insteadOf(id));
    if (!one) button.setAttribute("aria-label", `Stop ${name} and play here`);
    return el("li", {}, el("span", { class: "title" }, name), about, button);
  });
  const count = one ? "another device, and it may play on one at a time." : `${screens.length} devices, and it may not play on more.`;
  const none = screens.length === 0;
  const again = action("Try again", "try-again", message, () => lease.claim());
  panel.show(
    "screens",
    title("Your pass plays elsewhere"),
    el("p", { class: "lead" }, none ? "It may not play on more devices at the moment." : `It plays on ${count}`),
    none ? again : el("ul", { role: "list", class: "screens", "data-testid": "screens" }, ...items),
    message,
    el("a", { href: "/" }, "All channels"),
  );
}

/** Another device has stopped this one. */
export function tellStopped(panel: Panel, lease: Lease): void {
  const message = alert();
  panel.show(
    "screens",
    title("Stopped: your pass plays elsewhere now"),
    el("p", { class: "lead" }, "Somebody chose to watch on another device with this pass."),
    action("Play here instead", "play-here", message, () => lease.again()),
    message,
  );
}
