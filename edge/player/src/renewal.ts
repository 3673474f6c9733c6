// Makes the session last while somebody watches: renewed before it expires, for as long as the pass holds.

import { ApiError, renew } from "./api";

/** When a session began and when it expires, in milliseconds since 1970. */
export interface Life {
  begun_ms: number;
  expires_ms: number;
}

/** With less than this share of its life left a session is renewed. */
export const LEFT_SHARE = 0.25;
/** How often one of unknown life is renewed, and how long any timer runs at most, in milliseconds. */
export const HOUR_MS = 3_600_000;
/** Between two tries, in milliseconds. */
export const AGAIN_MS = 60_000;

const STORED = "railbird-session";

/** When to renew, in milliseconds from now; the last try was at `tried_ms`. */
export function renewIn(life: Life | null, tried_ms: number, now_ms: number): number {
  const due_ms = life === null ? tried_ms + HOUR_MS : life.expires_ms - (life.expires_ms - life.begun_ms) * LEFT_SHARE;
  return Math.max(0, due_ms - now_ms, tried_ms + AGAIN_MS - now_ms);
}

/** Reads what was kept of a session's life; `null` for what can't be one. */
export function parseLife(text: string | null): Life | null {
  try {
    const { begun_ms, expires_ms } = JSON.parse(text ?? "null") as Partial<Life>;
    const numbers = typeof begun_ms === "number" && typeof expires_ms === "number";
    return numbers && Number.isFinite(begun_ms) && expires_ms > begun_ms ? { begun_ms, expires_ms } : null;
  } catch {
    return null;
  }
}

/** Notes a session that begins now, for every page of it. `expires_s`: as the login says it. */
export function begun(expires_s: number | null): void {
  const begun_ms = Date.now();
  keep(expires_s !== null && expires_s * 1000 > begun_ms ? { begun_ms, expires_ms: expires_s * 1000 } : null);
}

function keep(life: Life | null): void {
  try {
    if (life === null) localStorage.removeItem(STORED);
    else localStorage.setItem(STORED, JSON.stringify(life));
  } catch {
    // Without storage a session's life is unknown to its next page.
  }
}

function kept(): Life | null {
  try {
    return parseLife(localStorage.getItem(STORED));
  } catch {
    return null;
  }
}

/** Renews the session for as long as the page is open. */
export function keepAlive(): void {
  let tried_ms = Date.now();
  const wait = () => {
    // Another page may renew it too: what is kept is read again at the time.
    const ms = renewIn(kept(), tried_ms, Date.now());
    setTimeout(() => void look(), Math.min(ms, HOUR_MS));
  };
  const look = async () => {
    const life = kept();
    if (renewIn(life, tried_ms, Date.now()) === 0) {
      tried_ms = Date.now();
      try {
        await renew();
        if (life !== null) keep({ begun_ms: tried_ms, expires_ms: tried_ms + life.expires_ms - life.begun_ms });
      } catch (error) {
        // An edge that can't renew, or a pass that no longer holds: what is known of the session's end helps nobody.
        if (error instanceof ApiError && [401, 403, 404].includes(error.status)) keep(null);
      }
    }
    wait();
  };
  wait();
}
