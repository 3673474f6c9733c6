// The scores that a page shows: of what is live, or of all matches on a recording. No drawing.

import { ScoreLog, type ScoreDocument } from "./score";

/** The most matches of a recording, as many as an origin lists. */
export const MATCHES_MAX = 256;

/** The last match that has begun by then. */
export function onAt(logs: readonly ScoreLog[], at_ms: number): ScoreLog | null {
  let on: ScoreLog | null = null;
  for (const log of logs) if ((log.entries[0]?.at_ms ?? Number.POSITIVE_INFINITY) <= at_ms) on = log;
  return on;
}

/** The matches of a recording. */
export class Recorded {
  #logs: ScoreLog[] = [];

  get logs(): readonly ScoreLog[] {
    return this.#logs;
  }

  /** Takes all that is known of them, oldest first. */
  take(documents: readonly ScoreDocument[]): void {
    this.#logs = documents.slice(-MATCHES_MAX).map((document) => {
      const known = this.#logs.find((log) => log.match?.match === document.match);
      const log = known ?? new ScoreLog();
      log.take(document, null);
      return log;
    });
  }
}
