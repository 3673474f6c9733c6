// A pass plays on so many screens at a time. This page's claim to one of them: asked for before it plays, renewed while it
// does, given back when it goes. No drawing; what asks the edge comes in from outside.

/** Another device that plays. */
export interface Screen {
  id: string;
  name: string;
  /** Since when, in milliseconds since 1970; `null` where the edge doesn't say. */
  since_ms: number | null;
}

/** What the edge says to a claim. */
export type Claim =
  /** Play; renew the claim after so many seconds. */
  | { kind: "granted"; renew_s: number | null }
  /** Others play, as many as may. */
  | { kind: "full"; screens: Screen[] }
  /** Another device has stopped this one. */
  | { kind: "stopped" }
  /** This edge counts no screens. */
  | { kind: "none" }
  /** It couldn't be asked. That is no reason not to play. */
  | { kind: "unknown" };

/** The most screens taken of one answer. */
export const SCREENS_MAX = 32;
/** Between two renewals, in seconds: by default, at least and at most. */
export const RENEW_S = 20;
export const RENEW_S_MIN = 5;
export const RENEW_S_MAX = 300;
/** Until an edge that couldn't be asked is asked again, in milliseconds. */
export const AGAIN_MS = 5_000;
/** Until an edge that counts no screens is asked again, in milliseconds: it may be updated meanwhile. */
export const NONE_MS = 300_000;

const SCREEN_ID = /^[A-Za-z0-9_-]{1,64}$/;
const ID_BYTES = 16;

/** Reads the list of screens; what can't be one is left out. */
export function parseScreens(value: unknown): Screen[] {
  if (!Array.isArray(value)) return [];
  return value.slice(0, SCREENS_MAX).flatMap((screen: unknown): Screen[] => {
    if (typeof screen !== "object" || screen === null) return [];
    const { id, name, since } = screen as Record<string, unknown>;
    if (typeof id !== "string" || !SCREEN_ID.test(id)) return [];
    // Seconds since 1970, or ISO 8601.
    const since_ms = typeof since === "number" ? since * 1000 : typeof since === "string" ? Date.parse(since) : Number.NaN;
    const shown = typeof name === "string" ? name.trim().slice(0, 80) : "";
    return [{ id, name: shown || "Another device", since_ms: Number.isFinite(since_ms) ? since_ms : null }];
  });
}

/** An id out of 16 random bytes: 22 characters of base64url. */
export function screenId(random: Uint8Array): string {
  const text = btoa(String.fromCharCode(...random.subarray(0, ID_BYTES)));
  return text.replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

/** What people call a device, out of what its browser calls itself. */
export function deviceName(agent: string): string {
  const find = (table: readonly (readonly [string, RegExp])[]) => table.find(([, pattern]) => pattern.test(agent))?.[0];
  const browser = find([
    ["Edge", /\bEdgA?(iOS)?\//],
    ["Opera", /\bOPR\//],
    ["Samsung Internet", /\bSamsungBrowser\//],
    ["Firefox", /\b(Firefox|FxiOS)\//],
    ["Chrome", /\b(Chrome|HeadlessChrome|CriOS)\//],
    ["Safari", /\bSafari\//],
  ]);
  const system = find([
    ["iPhone", /\biPhone\b/],
    ["iPad", /\biPad\b/],
    ["Android", /\bAndroid\b/],
    ["Windows", /\bWindows\b/],
    ["Mac", /\bMac OS X\b/],
    ["Chromebook", /\bCrOS\b/],
    ["Linux", /\bLinux\b/],
  ]);
  if (browser === undefined) return system ?? "A browser";
  return system === undefined ? browser : `${browser} on ${system}`;
}

/** How the claim reaches the edge and the page. */
export interface Ports {
  /** Fails only where there is no session. `again`: though another device has stopped it. */
  claim(screen: string, again: boolean): Promise<Claim>;
  stop(screen: string): Promise<void>;
  release(screen: string): void;
  /** This page's screen. */
  id(): string;
  /** It may play. */
  granted(): void;
  /** It may not: others do. */
  full(screens: readonly Screen[]): void;
  /** It may no longer. */
  stopped(): void;
  /** There is no session. Resolves once there is one. */
  noSession(): Promise<void>;
}

/** This page's screen. */
export class Lease {
  #ports: Ports;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** Counts what was begun, so that an answer to something older changes nothing. */
  #turn = 0;
  #held = false;

  constructor(ports: Ports) {
    this.#ports = ports;
  }

  /** Claims the screen; resolves once the edge has answered, and the page has heard of it. */
  claim(): Promise<void> {
    return this.#claim(false);
  }

  async #claim(again: boolean): Promise<void> {
    const ports = this.#ports;
    clearTimeout(this.#timer);
    this.#turn += 1;
    const turn = this.#turn;
    let claim: Claim;
    try {
      claim = await ports.claim(ports.id(), again);
    } catch {
      if (turn !== this.#turn) return;
      await ports.noSession();
      return turn === this.#turn ? this.#claim(again) : undefined;
    }
    if (turn !== this.#turn) return;
    this.#held = claim.kind === "granted";
    switch (claim.kind) {
      case "full":
        return ports.full(claim.screens);
      case "stopped":
        return ports.stopped();
      case "granted": {
        const renew_s = Math.min(Math.max(claim.renew_s ?? RENEW_S, RENEW_S_MIN), RENEW_S_MAX);
        this.#later(renew_s * 1000);
        return ports.granted();
      }
      case "none":
        this.#later(NONE_MS);
        return ports.granted();
      case "unknown":
        this.#later(AGAIN_MS);
        return ports.granted();
    }
  }

  /** Stops another screen and plays here. Fails where the edge can't be asked. */
  async insteadOf(other: string): Promise<void> {
    await this.#ports.stop(other);
    await this.claim();
  }

  /** Plays here again after another device stopped it. */
  again(): Promise<void> {
    return this.#claim(true);
  }

  /** Gives the screen back. */
  release(): void {
    clearTimeout(this.#timer);
    this.#turn += 1;
    if (this.#held) this.#ports.release(this.#ports.id());
    this.#held = false;
  }

  #later(ms: number): void {
    this.#timer = setTimeout(() => void this.claim(), ms);
  }
}

const STORED = "railbird-screen";

/** This tab's id, kept for as long as the tab is open; without storage, for as long as its page is. */
export function storedId(): string {
  try {
    const kept = sessionStorage.getItem(STORED);
    if (kept !== null && SCREEN_ID.test(kept)) return kept;
    sessionStorage.setItem(STORED, unstored);
  } catch {
    // A browser that keeps nothing.
  }
  return unstored;
}

const unstored = screenId(crypto.getRandomValues(new Uint8Array(ID_BYTES)));
