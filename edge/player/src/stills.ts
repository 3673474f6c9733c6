// Small pictures for the seek bar: one is made at a time, of what a viewer stays at, and the newest are kept.

import type { Sight, Still } from "./sights";

/** The most pictures kept. */
export const PICTURES_MAX = 96;
/** How long a viewer must stay at one for it to be made, in milliseconds: what is only passed on the way asks for nothing. */
export const REST_MS = 120;
/** What failed is tried again after this time, in milliseconds. */
export const AGAIN_MS = 5_000;

/** What makes pictures, and who hears that there is one. */
export interface Maker<P> {
  /** Whether there is any use in reading it now. */
  may(sight: Sight): boolean;
  /** `null` where there will never be anything. */
  read(sight: Sight): Promise<Still | null>;
  draw(still: Still): Promise<P>;
  now(): number;
  /** One was made of this segment. */
  made(url: string): void;
}

/** What there is to see of a segment: its picture, one that comes, or nothing. */
export type Seen<P> = { what: "picture"; picture: P } | { what: "coming" } | { what: "nothing" };

export class Stills<P> {
  #maker: Maker<P>;
  #pictures = new Map<string, P>();
  /** From when on it may be tried again, in the maker's milliseconds. */
  #failed = new Map<string, number>();
  #wanted: Sight | null = null;
  /** Whether the viewer has stayed at what is wanted. */
  #rested = false;
  #rest: ReturnType<typeof setTimeout> | undefined;
  #busy = false;

  constructor(maker: Maker<P>) {
    this.#maker = maker;
  }

  /**
   * The picture of a segment. Where there is none yet, it is made as soon as the same one has been wanted for a while and nothing
   * else is made.
   */
  want(sight: Sight | null): Seen<P> {
    const known = sight === null ? undefined : this.#pictures.get(sight.url);
    if (sight === null || known !== undefined || !this.#open(sight)) {
      this.#turn(null);
      if (sight === null || known === undefined) return { what: "nothing" };
      this.#keep(this.#pictures, sight.url, known);
      return { what: "picture", picture: known };
    }
    if (sight.url !== this.#wanted?.url) this.#turn(sight);
    else if (this.#rested) void this.#work();
    return { what: "coming" };
  }

  #turn(sight: Sight | null): void {
    clearTimeout(this.#rest);
    [this.#wanted, this.#rested] = [sight, false];
    if (sight === null) return;
    this.#rest = setTimeout(() => {
      this.#rested = true;
      void this.#work();
    }, REST_MS);
  }

  async #work(): Promise<void> {
    if (this.#busy) return;
    this.#busy = true;
    for (let sight = this.#next(); sight !== null; sight = this.#next()) {
      let again_ms = Number.POSITIVE_INFINITY;
      try {
        const still = await this.#maker.read(sight);
        if (still !== null) {
          this.#keep(this.#pictures, sight.url, await this.#maker.draw(still));
          this.#maker.made(sight.url);
          continue;
        }
      } catch {
        // There is none then: the bar seeks as well without.
        again_ms = this.#maker.now() + AGAIN_MS;
      }
      this.#keep(this.#failed, sight.url, again_ms);
    }
    this.#busy = false;
  }

  /** What is wanted, has been for long enough, and is not there. */
  #next(): Sight | null {
    const sight = this.#wanted;
    return sight === null || !this.#rested || this.#pictures.has(sight.url) || !this.#open(sight) ? null : sight;
  }

  #open(sight: Sight): boolean {
    return this.#maker.may(sight) && this.#maker.now() >= (this.#failed.get(sight.url) ?? Number.NEGATIVE_INFINITY);
  }

  #keep<V>(into: Map<string, V>, name: string, value: V): void {
    into.delete(name);
    into.set(name, value);
    for (const oldest of into.keys()) {
      if (into.size <= PICTURES_MAX) break;
      into.delete(oldest);
    }
  }
}
