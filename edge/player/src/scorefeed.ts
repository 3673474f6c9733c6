// Follows the score of what is live: the edge tells news on its own (server-sent events), and is asked again and again where
// that does not work.

import { ApiError } from "./api";
import { parseScore, type ScoreDocument, type ScoreLog } from "./score";

/** How often the score is asked for where nobody tells it, in milliseconds. */
const ASK_MS = 2_000;
/** How long after its end a line of news is opened again, in milliseconds: the first time, and at most. */
const AGAIN_MS = 1_000;
const AGAIN_MS_MAX = 30_000;
/** The longest event that is read, in characters: that of a whole document. */
const EVENT_LEN_MAX = 2 << 20;

/** What a page hears news on: an `EventSource`, or what stands for one. */
export interface News {
  onmessage: ((event: { data: unknown }) => void) | null;
  onerror: (() => void) | null;
  /** It does not come back by itself. */
  closed(): boolean;
  close(): void;
}

export interface Surroundings {
  /** News from behind this event on; `null` where the browser has no such thing. */
  open(after: number | null): News | null;
  ask(after: number | null): Promise<ScoreDocument | null>;
  /** The session is over. Resolves once there is another one. */
  sessionEnded(): Promise<void>;
  /** The log has changed. */
  changed(): void;
  later(act: () => void, ms: number): void;
}

export class ScoreFeed {
  #log: ScoreLog;
  #around: Surroundings;
  #news: News | null = null;
  #after: number | null = null;
  #failures = 0;
  /** When news is tried again, in questions asked. */
  #questions = 0;

  constructor(log: ScoreLog, around: Surroundings) {
    this.#log = log;
    this.#around = around;
  }

  start(): void {
    void this.#ask();
  }

  /** Whether the edge tells news by itself. */
  get told(): boolean {
    return this.#news !== null;
  }

  /** The first answer says whether there is a session, and it is there at once. */
  async #ask(): Promise<void> {
    let pause_ms = ASK_MS;
    try {
      const after = this.#log.last;
      const document = await this.#around.ask(after);
      if (document !== null && this.#take(document, after) === "whole") pause_ms = 0;
      if (document !== null && pause_ms > 0 && this.#mayListen()) return this.#listen();
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (error.status === 401) await this.#around.sessionEnded();
      // Whatever else it is: the score shown stays, and the next question comes as usual.
    }
    this.#around.later(() => void this.#ask(), pause_ms);
  }

  /** After trouble, some questions are asked before news is waited for again: the more, the more often it failed. */
  #mayListen(): boolean {
    if (this.#failures === 0) return true;
    this.#questions += 1;
    const wait_ms = Math.min(AGAIN_MS * 2 ** Math.min(this.#failures, 8), AGAIN_MS_MAX);
    return this.#questions * ASK_MS >= wait_ms;
  }

  #listen(): void {
    this.#questions = 0;
    this.#after = this.#log.last;
    const news = this.#around.open(this.#after);
    if (news === null) {
      this.#failures = Number.MAX_SAFE_INTEGER;
      this.#around.later(() => void this.#ask(), ASK_MS);
      return;
    }
    this.#news = news;
    news.onmessage = ({ data }) => this.#hear(data);
    news.onerror = () => {
      // An answer that ends is usual: the browser comes back by itself.
      if (news.closed()) this.#stop(true);
    };
  }

  #hear(data: unknown): void {
    const document = typeof data === "string" && data.length <= EVENT_LEN_MAX ? read(data) : null;
    if (document === null) return this.#stop(true);
    this.#failures = 0;
    if (this.#take(document, this.#after) === "whole") return this.#stop(false);
    this.#after = this.#log.last;
  }

  #take(document: ScoreDocument, after: number | null): "more" | "whole" {
    const wanted = this.#log.take(document, after);
    if (wanted === "more") this.#around.changed();
    return wanted;
  }

  /** Asks instead, for now. */
  #stop(failed: boolean): void {
    this.#news?.close();
    this.#news = null;
    if (failed) this.#failures += 1;
    void this.#ask();
  }
}

function read(text: string): ScoreDocument | null {
  try {
    return parseScore(JSON.parse(text));
  } catch {
    return null;
  }
}
