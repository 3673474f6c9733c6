// What a page and its playback know of one another.

import type { Answer } from "./race";

/** What a viewer should know of the state of playback. */
export type State =
  | "connecting"
  | "not-started"
  | "playing"
  | "ended"
  | "nodes-failing"
  | "edge-failing"
  | "not-covered"
  | "no-such-channel"
  | "no-such-replay"
  | "unsupported";

/** How much of a recording is played. */
export interface Part {
  /** Playlists tell nothing later than this, in milliseconds of media time; `null`: everything. */
  until_ms(): number | null;
  /** Only this stretch of it. */
  clip: { from_ms: number; to_ms: number } | null;
}

export interface Listener {
  state(state: State): void;
  /** The edge no longer takes our session. Resolves once it does. */
  sessionEnded(): Promise<void>;
  /** The edge gives no key to this session, which is well. */
  keyRefused(): void;
  /** A segment came from this node. */
  served(node: string | null): void;
  /** A node failed: the list may have changed. */
  nodeFailed(): void;
  /** A node answered, well or not. */
  answered(answer: Answer): void;
  /** What plays is about to be taken from the beginning, to go on where it is. */
  again(): void;
  /** The browser wants a tap before it plays. */
  blocked(): void;
}
