// The scorer's side of the protocol. What is entered is kept by the browser first, shown then, and sent in order, one at a time,
// each as it is until the origin has it.

import { moved, timed } from "./clock.js";
import { Follower } from "./follow.js";
import { is } from "./items.js";
import { Away, Denied } from "./origin.js";
import { Pause } from "./pause.js";
import { Refused } from "./rules.js";
import { Sender } from "./sender.js";
import { Overtaken } from "./store.js";

/** @typedef {import("./types.js").Action} Action */
/** @typedef {import("./types.js").Item} Item */
/** @typedef {import("./types.js").Kept} Kept */
/** @typedef {import("./types.js").Lost} Lost */
/** @typedef {import("./types.js").Problem} Problem */
/** @typedef {import("./types.js").View} View */
/** @typedef {import("./types.js").Waiting} Waiting */

/** How often the origin hears that the scorer is there, in milliseconds. */
const HEARTBEAT_MS = 10_000;

/** How often the match of another scorer is asked for, in milliseconds. */
const WATCH_MS = 2_000;

/** @type {View} */
const NOTHING = { last: null, start: null, rules: null, state: null, undo: null, history: [] };

export class Scorer {
  #rules;
  #origin;
  #store;
  #keeper;
  #follower;
  #changed;
  /** @type {Kept} */
  #kept;
  /** What the origin has of the match. @type {Item[]} */
  #acknowledged = [];
  /** What waits, of earlier matches as well. @type {Waiting[]} */
  #waiting = [];
  #sender = new Sender(() => this.#next(), (item) => this.#offer(item), (error) => this.#failed(error));
  /** Before the next heartbeat. */
  #pulse = new Pause();
  /** What changes the log is done one after another. @type {Promise<unknown>} */
  #turn = Promise.resolve();

  /** @type {View} */
  view = NOTHING;
  /** @type {Problem | null} */
  problem = null;
  /** Whether the origin answered last; null before it was asked. @type {boolean | null} */
  reachable = null;

  /**
   * @param {{ rules: import("./rules.js").Rules, origin: import("./origin.js").Origin, store: import("./store.js").Store, keeper: import("./keeper.js").Keeper, kept: Kept, changed: () => void }} parts
   */
  constructor({ rules, origin, store, keeper, kept, changed }) {
    this.#rules = rules;
    this.#origin = origin;
    this.#store = store;
    this.#keeper = keeper;
    this.#follower = new Follower(origin, () => this.#scored(), (scored) => this.#overtaken(scored));
    this.#kept = kept;
    this.#changed = changed;
  }

  get mode() {
    return this.#kept.mode;
  }

  get match() {
    return this.#kept.match;
  }

  get pending() {
    return this.#waiting.length;
  }

  /** How many of these are of the match itself. */
  get held() {
    return this.#own().length;
  }

  /** Why the browser keeps nothing; null where it does. */
  get unkept() {
    return this.#keeper.refusal;
  }

  get epoch() {
    return this.#kept.epoch;
  }

  /** The origin's time, as far as this device knows it, in UTC milliseconds. */
  now() {
    return Math.max(0, Math.round(Date.now() + (this.#kept.offset ?? 0)));
  }

  /** Shows what the browser has kept, and begins to talk with the origin. @param {{ acknowledged: boolean, item: Waiting }[]} rows */
  begin(rows) {
    this.#waiting = rows.filter(({ acknowledged }) => !acknowledged).map(({ item }) => item);
    this.#acknowledged = rows.filter(({ acknowledged, item }) => acknowledged && item.match === this.match).map(({ item }) => item);
    this.#reload();
    this.#mended();
    addEventListener("online", () => this.#sender.hurry());
    void this.#beat();
    void this.#watch();
    void this.#follower.run();
    void this.#sender.send();
    this.#changed();
  }

  /** The match that is scored here. */
  #scored() {
    const { match, epoch } = this;
    return this.mode === "scoring" && match !== null && this.problem?.kind !== "tab" ? { match, epoch } : null;
  }

  /** Somebody else scores it by now. @param {import("./follow.js").Scored} scored */
  #overtaken({ match, epoch }) {
    const ours = () => this.mode === "scoring" && this.match === match && this.epoch === epoch;
    return this.#after(async () => (ours() ? this.#lost() : undefined));
  }

  /** Keeps something; everything, where something before was not kept. @param {() => Promise<unknown>} work @param {Item[]} [acknowledged] @param {Waiting[]} [waiting] */
  #keep(work, acknowledged = this.#acknowledged, waiting = this.#waiting) {
    const { match } = this;
    return this.#keeper.keep(work, () => this.#store.replace(this.#kept, match === null ? [] : acknowledged.map((item) => ({ ...item, match })), waiting));
  }

  /** What waits of the match itself. */
  #own() {
    return this.#waiting.filter(({ match }) => match === this.match);
  }

  /** What waits of other matches. */
  #others() {
    return this.#waiting.filter(({ match }) => match !== this.match);
  }

  /** Whether it is of the match that is scored here. @param {Waiting} item */
  #scores(item) {
    return this.mode === "scoring" && item.match === this.match;
  }

  /** Who plays a match, as far as that is known here. @param {string | null} match @returns {View} */
  about(match) {
    if (match === this.match) return this.view;
    const start = this.#waiting.map((item) => (item.match === match ? item.event.action : null)).find((action) => action?.type === "start");
    return start?.type === "start" ? { ...NOTHING, start } : NOTHING;
  }

  #reload() {
    this.view = this.#rules.load([...this.#acknowledged, ...this.#own()]);
  }

  /** Does `work` when what was begun before is done. @template T @param {() => Promise<T>} work @returns {Promise<T>} */
  #after(work) {
    const done = this.#turn.then(work);
    this.#turn = done.catch(() => {});
    return done;
  }

  /** Why each of these can't be entered; null where it can. @param {Action[]} actions */
  refusals(actions) {
    if (this.mode !== "scoring" || this.match === null) return actions.map(() => "");
    return this.#rules.refusals(this.epoch, this.now(), actions);
  }

  /** Enters an action. Returns why not, or null when it is kept. @param {Action} action @returns {Promise<string | null>} */
  enter(action) {
    return this.#after(() => this.#enter(action));
  }

  /** @param {Action} action */
  async #enter(action) {
    const match = this.match;
    if (this.mode !== "scoring" || match === null) return "";
    try {
      const { entered, view } = this.#rules.enter(this.epoch, this.now(), action);
      const items = this.#signed(entered).map((item) => ({ ...item, match }));
      await this.#keep(() => this.#store.append(this.#kept, items), this.#acknowledged, [...this.#waiting, ...items]);
      this.#waiting.push(...items);
      this.view = view;
    } catch (error) {
      this.#reload();
      if (error instanceof Refused) return error.message;
      this.#stop(error);
      return this.problem?.text ?? null;
    }
    this.#changed();
    void this.#sender.send();
    return null;
  }

  /** Events that say who entered them, where that is known. @param {Item[]} items @returns {Item[]} */
  #signed(items) {
    const { scorer } = this.#kept;
    return scorer === undefined ? items : items.map((item) => ({ ...item, event: { ...item.event, scorer } }));
  }

  /** Takes back the newest that stands when what was begun before is done. @returns {Promise<string | null>} */
  undo() {
    return this.#after(async () => {
      const { undo } = this.view;
      return undo === null ? null : this.#enter({ type: "undo", epoch: undo.epoch, seq: undo.seq });
    });
  }

  /** Begins another match. @param {Action} start @returns {Promise<string | null>} */
  newMatch(start) {
    return this.#after(async () => {
      const stamp = new Date(this.now()).toISOString().replace(/[-:]|\..*$/g, "").toLowerCase();
      const tail = crypto.getRandomValues(new Uint32Array(1))[0]?.toString(36) ?? "0";
      const [match, epoch] = [`${stamp}z-${tail}`, 1];
      const earlier = this.mode === "lost" ? this.#others() : this.#waiting;
      try {
        this.#rules.load([]);
        const { entered, view } = this.#rules.enter(epoch, this.now(), start);
        const waiting = [...earlier, ...this.#signed(entered).map((item) => ({ ...item, match }))];
        await this.#replace({ match, epoch, mode: "scoring" }, [], waiting);
        this.view = view;
      } catch (error) {
        this.#reload();
        if (error instanceof Refused) return error.message;
        this.#stop(error);
        return this.problem?.text ?? null;
      }
      this.problem = null;
      this.#changed();
      void this.#sender.send();
      this.#pulse.end();
      return null;
    });
  }

  /**
   * Becomes the match's scorer, with what waits here. `confirm` is asked where some of that has no place any more. Returns why
   * not, or null.
   * @param {(lost: Lost[]) => Promise<boolean>} confirm
   */
  async takeOver(confirm) {
    const match = this.match;
    if (match === null) return "";
    /** @type {Item[]} */
    let events;
    let other = 0;
    try {
      events = await this.#origin.events(match);
      other = await this.#origin.epoch(match);
    } catch (error) {
      return error instanceof Error ? error.message : String(error);
    }
    this.#reached(true);
    return this.#after(async () => {
      if (this.match !== match || this.mode === "scoring") return "";
      try {
        const own = this.#own().filter((item) => !events.some((event) => is(event, item)));
        const epoch = Math.max(this.epoch, events.at(-1)?.epoch ?? 0, other) + 1;
        this.#rules.load(events);
        const { entered, refused, view } = this.#rules.requeue(epoch, own);
        if (refused.length > 0 && !(await confirm(refused.map((item) => ({ ...item, match }))))) {
          this.#reload();
          return "";
        }
        await this.#replace({ match, epoch, mode: "scoring" }, events, [...this.#others(), ...entered.map((item) => ({ ...item, match }))]);
        this.view = view;
        this.problem = null;
      } catch (error) {
        this.#reload();
        this.#stop(error);
        return this.problem?.text ?? null;
      }
      this.#changed();
      void this.#sender.send();
      this.#pulse.end();
      return null;
    });
  }

  /** Only looks on from now on; what waits of the match is given up. */
  watch() {
    return this.#after(async () => {
      await this.#replace({ ...this.#kept, mode: "watching" }, this.#acknowledged, this.#others());
      this.problem = null;
      this.#reload();
      this.#changed();
      void this.#sender.send();
    });
  }

  /** Gives up the event that the origin refuses, with what rests on it. @param {(lost: Lost[]) => Promise<boolean>} confirm */
  drop(confirm) {
    return this.#after(async () => {
      const { item, text } = this.problem ?? {};
      if (item === undefined) return;
      const others = this.#waiting.filter(({ match }) => match !== item.match);
      /** @type {Waiting[]} */
      let rest = [];
      /** @type {Lost[]} */
      let lost;
      if (this.#scores(item)) {
        this.#rules.load(this.#acknowledged);
        const { entered, refused } = this.#rules.requeue(this.epoch, this.#own(), [item]);
        rest = entered.map((entry) => ({ ...entry, match: item.match }));
        lost = refused.map((entry) => ({ ...entry, match: item.match }));
      } else {
        // Of an earlier match: what follows it there can't be sent either.
        const same = this.#waiting.filter((entry) => entry.match === item.match && entry !== item);
        lost = same.map((entry) => ({ ...entry, why: text ?? "" }));
      }
      if (lost.length > 0 && !(await confirm(lost))) return this.#reload();
      await this.#replace({ ...this.#kept }, this.#acknowledged, [...others, ...rest]);
      this.#mended();
      this.#reload();
      this.#changed();
      void this.#sender.send();
    });
  }

  /** Another key, which the scorer gave, and who that is. @param {string} key @param {string} [scorer] */
  async useKey(key, scorer) {
    this.#kept.key = key;
    if (scorer !== undefined) this.#kept.scorer = scorer;
    this.#origin.useKey(key);
    await this.#after(() => this.#keep(() => this.#store.note(this.#kept)));
    if (this.problem?.kind === "key") this.#mended();
    this.#changed();
    this.#sender.hurry();
    this.#pulse.end();
    void this.#sender.send();
  }

  /** @param {Partial<Kept>} now @param {Item[]} acknowledged @param {Waiting[]} waiting */
  async #replace(now, acknowledged, waiting) {
    const kept = { ...this.#kept, ...now };
    const { match } = kept;
    const all = () => this.#store.replace(kept, match === null ? [] : acknowledged.map((item) => ({ ...item, match })), waiting);
    await this.#keeper.keep(all, all);
    this.#kept = kept;
    this.#acknowledged = acknowledged;
    this.#waiting = waiting;
    this.#follower.again();
  }

  /** What nobody but a person can mend. @param {unknown} error */
  #stop(error) {
    if (error instanceof Overtaken) this.problem = { kind: "tab", text: "" };
    else this.problem = { kind: "broken", text: error instanceof Error ? error.message : String(error) };
    this.#changed();
  }

  /** What is left where a problem is no more: that another scorer has taken over. */
  #mended() {
    this.problem = this.mode === "lost" ? { kind: "taken", text: "" } : null;
  }

  // Sending

  /** What is sent next. Of a match that somebody else scores, nothing is. */
  #next() {
    const [first] = this.#waiting;
    const stopped = this.problem !== null && this.problem.kind !== "taken";
    return stopped || (this.mode === "lost" && first?.match === this.match) ? undefined : first;
  }

  /** @param {unknown} error */
  #failed(error) {
    if (error instanceof Away || error instanceof Denied) this.#reached(false);
    else this.#stop(error);
  }

  /** Sends an event. @param {Waiting} item */
  async #offer(item) {
    // Not before it is known when it occurred by the origin's clock: then it is another one.
    if (this.#kept.offset === null) return this.#timed(() => this.#origin.newest());
    const agrees = await this.#put(item);
    this.#reached(true);
    if (!agrees && item.match === this.match) await this.#resync(item.match);
  }

  /** Returns whether the origin's log is ours, as far as its answer says. @param {Waiting} item @returns {Promise<boolean>} */
  async #put(item) {
    try {
      const { diverged } = await this.#origin.put(item);
      await this.#after(() => this.#taken(item));
      return !diverged;
    } catch (error) {
      // Whatever else the origin says is for whoever runs it: the event waits.
      if (!(error instanceof Denied) || ![400, 401, 409, 413].includes(error.status)) throw error;
      return this.#after(() => this.#denied(item, error));
    }
  }

  /** @param {Waiting} item */
  async #taken(item) {
    if (this.#waiting[0] !== item) return;
    const { match, ...own } = item;
    const [acknowledged, waiting] = [match === this.match ? [...this.#acknowledged, own] : this.#acknowledged, this.#waiting.slice(1)];
    await this.#keep(() => this.#store.acknowledge(item), acknowledged, waiting);
    this.#acknowledged = acknowledged;
    this.#waiting = waiting;
    this.#changed();
  }

  /** Returns whether the origin's log is ours. @param {Waiting} item @param {Denied} denied */
  async #denied(item, denied) {
    // Meanwhile it is not to be sent any more.
    if (this.#next() !== item) return true;
    const { expected } = denied;
    if (denied.status === 401) this.problem = { kind: "key", text: denied.message };
    else if (this.#scores(item) && denied.status === 409) {
      // Missing events of ours: the origin was restored from a copy that is older than what it acknowledged.
      if (denied.code === "gap" && expected !== null && expected.epoch <= item.epoch) return false;
      await this.#lost();
    } else this.problem = { kind: "invalid", text: denied.message, item };
    this.#changed();
    return true;
  }

  async #lost() {
    await this.#replace({ ...this.#kept, mode: "lost" }, this.#acknowledged, this.#waiting);
    this.#mended();
    this.#changed();
    void this.#sender.send();
  }

  /** Makes the origin's log ours, with what it does not have behind it. @param {string} match */
  async #resync(match) {
    const events = await this.#origin.events(match);
    await this.#after(async () => {
      if (this.mode !== "scoring" || this.match !== match) return;
      if ((events.at(-1)?.epoch ?? 0) > this.epoch) return this.#lost();
      const ours = [...this.#acknowledged.filter(({ epoch }) => epoch === this.epoch), ...this.#own()];
      const missing = ours.filter((item) => !events.some((event) => is(event, item)));
      this.#rules.load(events);
      const { entered, refused } = this.#rules.requeue(this.epoch, missing);
      const first = refused[0];
      if (first !== undefined) {
        // Nothing goes that the scorer does not drop: what is seen stays, and the first that has no place any more is named.
        this.problem = { kind: "invalid", text: first.why, item: { ...first, match } };
        this.#reload();
      } else {
        await this.#replace({ ...this.#kept }, events, [...this.#others(), ...entered.map((item) => ({ ...item, match }))]);
        this.#reload();
      }
      this.#changed();
    });
  }

  /** @param {boolean} now */
  #reached(now) {
    if (this.reachable === now) return;
    this.reachable = now;
    this.#changed();
  }

  // The origin's clock

  /** Asks something whose answer has the origin's time. @template {{ now?: number }} T @param {() => Promise<T>} ask @returns {Promise<T>} */
  async #timed(ask) {
    const known = this.#kept.offset;
    const { answer, offset } = await timed(ask, known);
    if (known === null) await this.#after(() => this.#retime(offset));
    else this.#kept.offset = offset;
    return answer;
  }

  /** Knows the origin's clock from now on. What was entered before, and so not sent, is put right. @param {number} offset */
  async #retime(offset) {
    if (this.#kept.offset !== null) return;
    if (this.#waiting.length === 0) {
      this.#kept.offset = offset;
      return;
    }
    const waiting = this.#waiting.map((item) => moved(item, offset));
    const [others, own] = [waiting.filter(({ match }) => match !== this.match), waiting.filter(({ match }) => match === this.match)];
    this.#rules.load(this.#acknowledged);
    const { entered, refused } = this.#rules.requeue(this.epoch, own);
    // Each has its place as before; were it otherwise, they would stay as they are.
    const placed = refused.length > 0 ? own : entered.map((item, index) => ({ ...item, match: own[index]?.match ?? "" }));
    await this.#replace({ ...this.#kept, offset }, this.#acknowledged, [...others, ...placed]);
    this.#reload();
    this.#changed();
  }

  // The heartbeat, and the match of somebody else

  async #beat() {
    for (;;) {
      await this.#heartbeat();
      await this.#pulse.rest(HEARTBEAT_MS);
    }
  }

  async #heartbeat() {
    const match = this.match;
    if (this.mode !== "scoring" || match === null || this.problem?.kind === "tab") return;
    const epoch = this.epoch;
    try {
      const { epoch: other, last } = await this.#timed(() => this.#origin.scorer(match, { epoch, pending: this.pending }));
      await this.#after(() => this.#keep(() => this.#store.note(this.#kept)));
      const shown = this.view.last;
      if (Math.max(other ?? 0, last?.epoch ?? 0) > epoch) await this.#overtaken({ match, epoch });
      // The origin has more of ours than this page: what it could not keep before it was loaded again.
      else if (last?.epoch === epoch && shown?.epoch === epoch && last.seq > shown.seq) await this.#resync(match);
      if (this.reachable === false) this.#sender.hurry();
      this.#reached(true);
    } catch (error) {
      if (error instanceof Away) this.#reached(false);
      else if (error instanceof Denied && error.status === 401) {
        this.problem = { kind: "key", text: error.message };
        this.#changed();
      } else if (!(error instanceof Denied)) this.#stop(error);
    }
  }

  async #watch() {
    for (;;) {
      if (this.mode === "watching" && this.problem === null) await this.#look();
      await new Promise((resolve) => setTimeout(resolve, WATCH_MS));
    }
  }

  /** Shows the channel's newest match as far as the origin has it. */
  async #look() {
    try {
      const { match } = await this.#timed(() => this.#origin.newest());
      const before = match === this.match ? (this.#acknowledged.at(-1) ?? null) : null;
      const events = match === null ? [] : await this.#origin.events(match, before);
      this.#reached(true);
      await this.#after(async () => {
        if (this.mode !== "watching" || match === null || (before !== null && events.length === 0)) return;
        // What is still on its way from here would be taken over from here.
        if (this.#waiting.some((item) => item.match === match)) return;
        this.#acknowledged = before === null ? events : [...this.#acknowledged, ...events];
        this.#kept.match = match;
        this.view = this.#rules.load(this.#acknowledged);
        this.#changed();
      });
    } catch (error) {
      if (error instanceof Denied && error.status === 401) {
        this.problem = { kind: "key", text: error.message };
        this.#changed();
      } else this.#failed(error);
    }
  }
}
