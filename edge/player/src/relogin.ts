// When the session ends while somebody watches: the login comes over the picture, which goes on with what is buffered.

import { loginForm } from "./login";
import { type Panel, TITLE_ID } from "./panel";

/** A session that ends again within this time after a login wasn't kept by the browser, in milliseconds. */
export const LOST_MS = 10_000;
/** What was asked before a login may be refused after it, and is asked again: as often as this for each login. */
export const LATE_MAX = 8;

/** How a login is asked for. */
export interface Ports {
  /** Asks for one; `lost`: though there was one a moment ago. Calls `done` once there is a session. */
  ask(lost: boolean, done: () => void): void;
  /** What must be done once there is a session again, before anybody else goes on. */
  returned(): Promise<void>;
  /** A clock that only goes on, in milliseconds. */
  now(): number;
}

export class Relogin {
  #ports: Ports;
  #waiting: Promise<void> | null = null;
  #begun_ms = Number.NEGATIVE_INFINITY;
  #late = 0;

  constructor(ports: Ports) {
    this.#ports = ports;
  }

  /** The edge says that there is no session. Resolves once there is one again. */
  ended(): Promise<void> {
    const { now, ask, returned } = this.#ports;
    const lost = now() - this.#begun_ms < LOST_MS;
    if (this.#waiting === null && lost && this.#late < LATE_MAX) {
      this.#late += 1;
      return Promise.resolve();
    }
    this.#waiting ??= new Promise((resolve) => {
      ask(lost, () => {
        this.#begun_ms = now();
        this.#late = 0;
        this.#waiting = null;
        void returned().then(resolve);
      });
    });
    return this.#waiting;
  }
}

/** Asks for a login over the picture. */
export function loginOver(panel: Panel): Ports["ask"] {
  return (lost, done) => {
    const form = loginForm({
      title: "Log in to go on watching",
      titleId: TITLE_ID,
      lead: "Your session has ended. The picture goes on where it is.",
      message: lost ? "The login did not last: does this browser refuse cookies?" : "",
      done() {
        panel.close("login");
        done();
      },
    });
    panel.show("login", form);
  };
}
