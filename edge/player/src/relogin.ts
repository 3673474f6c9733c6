// When the session ends while somebody watches: the login comes over the picture, which goes on with what is buffered.

import { loginForm } from "./login";
import { type Panel, TITLE_ID } from "./panel";

/** A session that ends again within this time after a login wasn't kept by the browser, in milliseconds. */
const LOST_MS = 5_000;

export class Relogin {
  #panel: Panel;
  #returned: () => Promise<void>;
  #waiting: Promise<void> | null = null;
  #begun_ms = Number.NEGATIVE_INFINITY;

  /** `returned` is what must be done once there is a session again, before anybody else goes on. */
  constructor(panel: Panel, returned: () => Promise<void>) {
    this.#panel = panel;
    this.#returned = returned;
  }

  /** The edge says that there is no session. Resolves once there is one again. */
  ended(): Promise<void> {
    this.#waiting ??= new Promise((resolve) => {
      const lost = performance.now() - this.#begun_ms < LOST_MS;
      const form = loginForm({
        title: "Log in to go on watching",
        titleId: TITLE_ID,
        lead: "Your session has ended. The picture goes on where it is.",
        message: lost ? "The login did not last: does this browser refuse cookies?" : "",
        done: () => {
          this.#begun_ms = performance.now();
          this.#waiting = null;
          this.#panel.close("login");
          void this.#returned().then(resolve);
        },
      });
      this.#panel.show("login", form);
    });
    return this.#waiting;
  }
}
