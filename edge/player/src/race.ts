// Which nodes are asked for one segment, and when. The first is asked; when it is late, stands still, fails or is too slow
// for the buffer, a second one is asked for the same, and the first whole answer wins. No I/O, no clock, no timer:
//
//     race.handle(input, now_ms);                      // what the requests tell
//     while ((step = race.poll(now_ms)) !== null) …    // what to do
//     wake at race.due(now_ms) and poll again

import type { Extra } from "./extra";
import type { NodeBook, Place } from "./nodes";
import type { Wanted } from "./objects";
import type { Patience } from "./patience";

/** The most nodes asked for one segment. */
export const NODES_PER_SEGMENT_MAX = 3;
/** How often each of them is asked, one after the other, before hls.js is told that none has it. */
export const ROUNDS_MAX = 2;
/** The pause before nodes are asked again, in milliseconds: so much and up to as much again, by chance. */
export const PAUSE_MS = 400;
/** Without a first byte for this time, in milliseconds, another node is asked whatever it costs. */
export const SILENCE_MS_MAX = 2_500;
/** The same without a further byte. */
export const STALL_MS_MAX = 1_000;
/** Without a byte for this time, in milliseconds, a node is given up. */
export const GIVE_UP_MS = 5_000;
/** What a segment may take in all, in milliseconds. */
export const RACE_MS_MAX = 20_000;
/** A body is watched for this time, in milliseconds, before it can be called slow. */
export const LOOK_MS = 500;
/** A body that will take longer than this share of what is buffered is slow: a second node needs time too. */
export const BUFFER_SHARE_MAX = 0.5;
/** With nothing buffered, one that will take longer than this is, in milliseconds. */
export const REST_MS_MAX = 2_000;

/** Why a further node is asked: it is late, stands still, is slow, or failed. */
export type Why = "late" | "stalled" | "slow" | "failed";

/** What a request tells. */
export type Input =
  /** The head of an answer with a status of success came; how long its body will be, where it says so. */
  | { what: "first"; request: number; total: number | null }
  /** So many bytes of the body are there. */
  | { what: "bytes"; request: number; loaded: number }
  /** All are there, and right. */
  | { what: "whole"; request: number }
  /** It came to nothing: with this status, 0 where the connection or the body failed. */
  | { what: "failed"; request: number; status: number };

/** What to do. */
export type Step =
  /** Ask this place; later inputs call the request by this number. */
  | { what: "ask"; request: number; place: Place; why: Why | null }
  /** Cancel a request. */
  | { what: "drop"; request: number }
  /** This request won; the others are dropped already. */
  | { what: "won"; request: number }
  /** Nobody has it: the last one's status, 0 for no connection, `null` for silence. */
  | { what: "lost"; status: number | null };

/** How a place answered, for whoever keeps count. */
export interface Answer {
  place: Place;
  /** It gave the whole segment. */
  right: boolean;
  /** Its status, 0 for no connection or a broken body, `null` for one that took too long. */
  status: number | null;
  /** When it was asked, and how long until the first byte and the last, in milliseconds; `null` where none came. */
  began_ms: number;
  first_ms: number | null;
  last_ms: number | null;
}

/** What a race knows of the nodes and of the viewer. */
export interface Course {
  book: NodeBook;
  patience: Patience;
  extra: Extra;
  /** Milliseconds of media that are buffered ahead of the picture. */
  ahead_ms(): number;
  /** From 0 up to and without 1. */
  random(): number;
  answered(answer: Answer): void;
}

/** Statuses that speak of the object, not of the node. */
const MISSING = new Set([404, 410]);

/** A node, or a place that is none of a node's. */
const who = ({ node, url }: Place): string => node ?? url;

interface Runner {
  request: number;
  place: Place;
  began_ms: number;
  first_ms: number | null;
  /** When the last byte came; before the first one, when it was asked. */
  moved_ms: number;
  loaded: number;
  total: number | null;
  /** Why another one was asked in its place. */
  relieved: Why | null;
}

export class Race {
  #course: Course;
  #wanted: Wanted;
  #began_ms: number;
  #runners: Runner[] = [];
  /** Who was asked in this round, and who ever. */
  #asked = new Set<string>();
  #known = new Set<string>();
  #round = 1;
  #requests = 0;
  #again_ms: number | null = null;
  #steps: Step[] = [];
  #held = 0;
  #over = false;
  #status: number | null = 0;

  constructor(course: Course, wanted: Wanted, now_ms: number) {
    this.#course = course;
    this.#wanted = wanted;
    this.#began_ms = now_ms;
  }

  /** Takes what a request tells. What a dropped one still says is not heard. */
  handle(input: Input, now_ms: number): void {
    const runner = this.#runners.find(({ request }) => request === input.request);
    if (runner === undefined || this.#over) return;
    switch (input.what) {
      case "first":
        runner.first_ms = runner.moved_ms = now_ms;
        runner.total = input.total;
        if (runner.place.node !== null) this.#course.patience.learn(runner.place.node, now_ms - runner.began_ms);
        break;
      case "bytes":
        if (input.loaded > runner.loaded) runner.moved_ms = now_ms;
        runner.loaded = input.loaded;
        break;
      case "whole":
        this.#won(runner, now_ms);
        break;
      case "failed":
        this.#fail(runner, input.status, now_ms);
    }
  }

  /** The next thing to do; `null`: nothing before {@link due} or a further input. */
  poll(now_ms: number): Step | null {
    if (!this.#over) this.#look(now_ms);
    return this.#steps.shift() ?? null;
  }

  /** When to poll again at the latest; `null`: there is nothing to wait for. */
  due(now_ms: number): number | null {
    if (this.#over) return null;
    const times = [this.#began_ms + RACE_MS_MAX];
    if (this.#again_ms !== null) times.push(this.#again_ms);
    for (const runner of this.#runners) {
      times.push(runner.moved_ms + GIVE_UP_MS);
      if (runner.relieved !== null) continue;
      const late = runner.began_ms + this.#course.patience.of(runner.place.node);
      const limits = runner.first_ms === null ? [late, runner.began_ms + SILENCE_MS_MAX] : [runner.moved_ms + STALL_MS_MAX];
      // What has passed has been looked at: there was no further node, or no byte to spare.
      times.push(...limits.filter((time) => time > now_ms));
    }
    return Math.min(...times);
  }

  /** Ends it from outside. The caller cancels its requests. */
  abandon(now_ms: number): void {
    if (this.#over) return;
    // Somebody changed his mind: only what was asked for twice is extra.
    const most = Math.max(0, ...this.#runners.map(({ loaded }) => loaded));
    const all = this.#runners.reduce((sum, { loaded }) => sum + loaded, 0);
    if (all > most) this.#course.extra.spend(all - most, now_ms);
    this.#end();
  }

  #look(now_ms: number): void {
    if (now_ms >= this.#began_ms + RACE_MS_MAX) {
      for (const runner of [...this.#runners]) this.#fail(runner, null, now_ms);
      if (!this.#over) this.#lost();
      return;
    }
    for (const runner of [...this.#runners]) {
      if (now_ms - runner.moved_ms >= GIVE_UP_MS) this.#fail(runner, null, now_ms);
      else if (runner.relieved === null) this.#relieve(runner, now_ms);
    }
    if (this.#runners.length > 0) return;
    if (this.#ask(null, now_ms)) return;
    // Everybody was asked. Where all refused, all viewers' players are at it together.
    if (this.#again_ms === null && this.#known.size > 0 && this.#round < ROUNDS_MAX) {
      this.#again_ms = now_ms + PAUSE_MS * (1 + this.#course.random());
    } else if (this.#again_ms === null) this.#lost();
    else if (now_ms >= this.#again_ms) {
      this.#again_ms = null;
      this.#round += 1;
      this.#asked.clear();
      if (!this.#ask(null, now_ms)) this.#lost();
    }
  }

  /** Asks another node where this one gives reason to, and the bytes for it are there. */
  #relieve(runner: Runner, now_ms: number): void {
    const why = this.#trouble(runner, now_ms);
    if (why === null || this.#next(now_ms) === null) return;
    const { extra } = this.#course;
    const bytes = runner.total ?? extra.segment;
    if (extra.hold(bytes, now_ms)) this.#held += bytes;
    else if (why !== "stalled") return;
    runner.relieved = why;
    this.#ask(why, now_ms);
  }

  #trouble({ place, began_ms, first_ms, moved_ms, loaded, total }: Runner, now_ms: number): Why | null {
    const { patience, extra, ahead_ms } = this.#course;
    if (first_ms === null) {
      if (now_ms - began_ms >= SILENCE_MS_MAX) return "stalled";
      return now_ms - began_ms >= patience.of(place.node) ? "late" : null;
    }
    if (now_ms - moved_ms >= STALL_MS_MAX) return "stalled";
    const watched_ms = now_ms - first_ms;
    if (watched_ms < LOOK_MS || loaded === 0) return null;
    const rest_ms = (((total ?? extra.segment) - loaded) * watched_ms) / loaded;
    const buffered_ms = ahead_ms();
    return rest_ms > (buffered_ms > 0 ? buffered_ms * BUFFER_SHARE_MAX : REST_MS_MAX) ? "slow" : null;
  }

  /** The best place that wasn't asked in this round. Later rounds ask the same ones. */
  #next(now_ms: number): Place | null {
    const places = this.#course.book.places(this.#wanted, now_ms);
    const open = places.filter((place) => !this.#asked.has(who(place)));
    const full = this.#known.size >= NODES_PER_SEGMENT_MAX;
    return open.find((place) => !full || this.#known.has(who(place))) ?? null;
  }

  #ask(why: Why | null, now_ms: number): boolean {
    const place = this.#next(now_ms);
    if (place === null) return false;
    this.#asked.add(who(place));
    this.#known.add(who(place));
    this.#requests += 1;
    const request = this.#requests;
    const fresh = { first_ms: null, moved_ms: now_ms, loaded: 0, total: null, relieved: null };
    this.#runners.push({ request, place, began_ms: now_ms, ...fresh });
    this.#steps.push({ what: "ask", request, place, why });
    return true;
  }

  #fail(runner: Runner, status: number | null, now_ms: number): void {
    const { book, extra } = this.#course;
    this.#runners = this.#runners.filter((other) => other !== runner);
    this.#status = status;
    if (status === null) this.#steps.push({ what: "drop", request: runner.request });
    if (runner.loaded > 0) extra.spend(runner.loaded, now_ms);
    const { node } = runner.place;
    if (node !== null && !(status !== null && MISSING.has(status))) book.failed(node, now_ms);
    this.#tell(runner, status, false, now_ms);
    if (runner.relieved === null && now_ms < this.#began_ms + RACE_MS_MAX) this.#ask("failed", now_ms);
  }

  #won(winner: Runner, now_ms: number): void {
    const { book, extra } = this.#course;
    for (const loser of this.#runners) {
      if (loser === winner) continue;
      this.#steps.push({ what: "drop", request: loser.request });
      if (loser.loaded > 0) extra.spend(loser.loaded, now_ms);
      const silent = loser.first_ms === null;
      const long = silent && now_ms - loser.began_ms >= SILENCE_MS_MAX;
      const { node } = loser.place;
      if (long || loser.relieved === "stalled" || loser.relieved === "slow") {
        if (node !== null) book.failed(node, now_ms);
      } else if (node === null || !silent || loser.began_ms >= winner.began_ms || !book.outrun(node, now_ms)) continue;
      this.#tell(loser, null, false, now_ms);
    }
    extra.media(winner.loaded, now_ms);
    if (winner.place.node !== null) book.served(winner.place.node);
    this.#tell(winner, 200, true, now_ms);
    this.#steps.push({ what: "won", request: winner.request });
    this.#end();
  }

  #tell({ place, began_ms, first_ms }: Runner, status: number | null, right: boolean, now_ms: number): void {
    const first = first_ms === null ? null : first_ms - began_ms;
    this.#course.answered({ place, right, status, began_ms, first_ms: first, last_ms: right ? now_ms - began_ms : null });
  }

  #lost(): void {
    this.#steps.push({ what: "lost", status: this.#status });
    this.#end();
  }

  #end(): void {
    this.#over = true;
    this.#runners = [];
    this.#course.extra.release(this.#held);
    this.#held = 0;
  }
}
