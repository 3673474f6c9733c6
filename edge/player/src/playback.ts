// Plays one channel, live or a recording of it: hls.js with our segment loader, or the browser's own HLS where there is no Media Source.

import Hls, { ErrorDetails, ErrorTypes, Events, type ErrorData } from "hls.js";
import { ApiError, multivariant, playable, playlistPath, retryAfterMs } from "./api";
import { Changes } from "./changes";
import { Choosing } from "./choosing";
import type { Facts } from "./facts";
import { Extra } from "./extra";
import { CONFIG } from "./hlsconfig";
import { Hurry } from "./hurry";
import { Lapse } from "./lapse";
import { fragmentLoader, header, playlistLoader } from "./loader";
import { Native } from "./native";
import type { NodeBook, Place } from "./nodes";
import { Objects } from "./objects";
import { Patience } from "./patience";
import type { Listener, Part, State } from "./playing";
import type { Answer } from "./race";
import { AHEAD_MS, AHEAD_MS_MIN, stretchOf, withUntil } from "./reach";
import { pictureCodec, type Sight, sightAt } from "./sights";
import { Stand } from "./stand";
import { bufferedAhead, livePosition, placeOf, playingDate } from "./timeline";
import { startingAt } from "./variants";

/** Delay between attempts to reach a channel, in milliseconds: not started, and trouble. */
const NOT_STARTED_MS = 2_000;
const TROUBLE_MS = 1_000;
const TROUBLE_MS_MAX = 5_000;
/** At most one repair of the media pipeline in this time, in milliseconds; a second one starts afresh. */
const REPAIR_MS = 5_000;
/** The longest note of an error, in characters. */
const NOTE_LEN_MAX = 300;
/** Where a rendition has vanished, what there is now is taken at once; a second time within this time, in milliseconds, is trouble. */
const VANISHED_MS = 10_000;

/** How far ahead of the picture a recording is asked for at least, where nothing later is to be known, in milliseconds. */
export const leastAheadMs = (): number => (Hls.isSupported() ? AHEAD_MS_MIN : AHEAD_MS);

export class Playback {
  #video: HTMLVideoElement;
  #channel: string;
  /** The recording that is played; `null` for what is live. */
  #replay: string | null;
  #book: NodeBook;
  #facts: Facts;
  #listener: Listener;
  // What was learnt of the nodes is kept when playback starts afresh.
  #patience = new Patience();
  #extra = new Extra();
  #hurry: Hurry;
  #changes = new Changes(Math.random);
  #hls: Hls | null = null;
  #objects: Objects | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #troubles = 0;
  #repaired_ms = Number.NEGATIVE_INFINITY;
  #shown: State | null = null;
  #failing: "nodes-failing" | "edge-failing" | null = null;
  #pictured = false;
  #started = false;
  #lapse = new Lapse();
  #stand: Stand;
  /** Where a recording begins to play. */
  #resume_s = 0;
  #part: Part;
  /** What of it the viewer chose. */
  readonly choosing = new Choosing(() => this.#again());
  /** Where what is live goes on after it was taken from the beginning, on the media timeline; `null`: where it is live. */
  #begin_ms: number | null = null;
  /** It was paused meanwhile. */
  #held = false;
  #vanished_ms = Number.NEGATIVE_INFINITY;
  /** Where the viewer wants to be, on the media timeline, once that is listed. */
  #goal_ms: number | null = null;
  #native: Native;

  constructor(
    video: HTMLVideoElement,
    channel: string,
    replay: string | null,
    part: Part,
    book: NodeBook,
    facts: Facts,
    listener: Listener,
  ) {
    this.#part = part;
    this.#video = video;
    [this.#hurry, this.#native] = [new Hurry(video), new Native(video)];
    this.#stand = new Stand(video, (what, media_s) => facts.note(what, media_s));
    this.#channel = channel;
    this.#replay = replay;
    this.#book = book;
    this.#facts = facts;
    this.#listener = listener;
    video.addEventListener("playing", () => {
      this.#pictured = true;
      this.#held = false;
      this.#show("playing");
    });
    video.addEventListener("waiting", () => {
      if (this.#pictured && !video.seeking) {
        facts.waitingEvents += 1;
        facts.note("waiting", video.currentTime);
      }
      this.#show(this.#failing ?? "connecting");
    });
    video.addEventListener("timeupdate", () => {
      if (this.#hls === null || !this.#hurry.look(this.#hls, this.behind(), this.buffered())) return;
      this.#facts.jumps += 1;
      this.goLive();
    });
    video.addEventListener("timeupdate", () => this.#extend());
    video.addEventListener("ended", () => this.#show("ended"));
    video.addEventListener("error", () => {
      // With hls.js, it is hls.js that reports and repairs.
      if (this.#hls === null && video.error !== null) this.#trouble("edge-failing");
    });
  }

  /** Asks for the channel until it is there, then plays it. */
  start(): void {
    this.#started = true;
    this.#held = false;
    this.#show("connecting");
    void this.#connect();
  }

  /** Plays nothing until it is started again. */
  stop(): void {
    this.#started = false;
    this.#begin_ms = null;
    clearTimeout(this.#timer);
    this.#detach();
    this.#video.removeAttribute("src");
    this.#video.load();
    this.#pictured = false;
    this.#shown = null;
    this.#failing = null;
  }

  /** Whether it plays, or tries to. */
  get started(): boolean {
    return this.#started;
  }

  /** The recording that is played; `null` for what is live. */
  get replay(): string | null {
    return this.#replay;
  }

  /** Plays a recording of the channel from its start or from a moment on, or (`null`) what is live. */
  turnTo(replay: string | null, at_ms: number | null = null): void {
    this.#replay = replay;
    this.#goal_ms = at_ms;
    this.#begin_ms = null;
    this.#failing = null;
    this.#detach();
    this.#pictured = false;
    this.#resume_s = 0;
    this.start();
  }

  /** Goes to a moment on the media timeline: at once, or when it is listed. False where it was left behind. */
  goTo(at_ms: number): boolean {
    this.#goal_ms = at_ms;
    const place = placeOf(this.#hls, this.#video, at_ms);
    if (place === "gone") {
      this.#goal_ms = null;
      return false;
    }
    this.#approach();
    return true;
  }

  /** Goes where the viewer wants to be, if that is listed by now. */
  #approach(): void {
    if (this.#goal_ms === null) return;
    const place = placeOf(this.#hls, this.#video, this.#goal_ms);
    if (typeof place !== "number") return;
    if (this.#hls === null && this.#native.runsOut(this.#part.until_ms(), this.#goal_ms)) {
      this.#goal_ms = null;
      this.#give(place);
      return;
    }
    this.#goal_ms = null;
    this.#hurry.seeks(place);
    this.#video.currentTime = place;
    this.play();
  }

  /** The date on the media timeline of the picture now shown; `null` before the first. */
  playingDate(): Date | null {
    return playingDate(this.#hls, this.#video);
  }

  /** What is to be seen at a moment of the video's clock, in seconds; `null` where that is not known. */
  sightAt(at_s: number): Sight | null {
    const [details, level] = [this.#hls?.latestLevelDetails, this.#hls?.levels[this.#hls.loadLevel]];
    const codec = this.choosing.alone ? null : pictureCodec(level ?? {});
    return details === undefined || details === null || codec === null ? null : sightAt(details.fragments, at_s, codec);
  }

  /** Where an object of a playlist may be asked for, the best place first. */
  places(url: string): Place[] {
    return this.#objects === null ? [] : this.#book.places(this.#objects.find(url), performance.now());
  }

  /** Seconds behind the live edge; `null` where unknown. */
  latency(): number | null {
    const latency = this.#hls?.latency ?? 0;
    return latency > 0 ? latency : null;
  }

  /** Seconds behind where a viewer who watches live would be; 0 where unknown. */
  behind(): number {
    return Math.max(0, (livePosition(this.#hls, this.#video) ?? 0) - this.#video.currentTime);
  }

  /** Seconds of media ahead of the picture. */
  buffered(): number {
    return bufferedAhead(this.#video);
  }

  /** To be called about once a second: gets a picture going that stands though it need not. */
  tick(): void {
    if (this.#hls !== null) this.#stand.look(this.#hls, this.choosing.place, this.#failing === "edge-failing");
  }

  /** Jumps to the live position and plays. */
  goLive(): void {
    this.#hurry.live();
    this.#begin_ms = null;
    const { seekable } = this.#video;
    const end = seekable.length > 0 ? seekable.end(seekable.length - 1) : null;
    const live = this.#hls?.liveSyncPosition ?? end;
    if (live !== null && live > this.#video.currentTime) this.#video.currentTime = live;
    this.play();
  }

  play(): void {
    this.#video.play().catch((error: unknown) => {
      if (error instanceof DOMException && error.name === "NotAllowedError") this.#listener.blocked();
    });
  }

  #show(state: State): void {
    if (this.#shown === state) return;
    this.#shown = state;
    this.#listener.state(state);
  }

  async #connect(): Promise<void> {
    clearTimeout(this.#timer);
    const path = this.#path();
    try {
      await playable(this.#url());
    } catch (error) {
      if (this.#started && path === this.#path()) this.#refused(error);
      return;
    }
    // The viewer turned to something else meanwhile.
    if (!this.#started || path !== this.#path()) return;
    if (this.#failing === "edge-failing") this.#failing = null;
    this.#show(this.#failing ?? "connecting");
    if (Hls.isSupported()) this.#attach();
    else if (this.#native.can) this.#give(this.#resume_s);
    else this.#show("unsupported");
  }

  /** Gives the browser's own player what is played, of a recording from a place on. */
  #give(at_s: number): void {
    const until_ms = this.#replay === null || this.#part.clip !== null ? null : this.#part.until_ms();
    this.#native.give(this.#url(), until_ms, this.#replay === null ? null : { at_s, begun: () => this.#approach() });
    this.play();
  }

  /** The browser's own player gets the next stretch before the last one is over. */
  #extend(): void {
    const [video, at_ms] = [this.#video, this.playingDate()?.getTime()];
    if (this.#hls !== null || !this.#started || at_ms === undefined || video.paused || video.seeking) return;
    if (this.#native.runsOut(this.#part.until_ms(), at_ms)) this.#give(video.currentTime);
  }

  #path(): string {
    return playlistPath(this.#channel, this.#replay);
  }

  /** The same, of as much as is played. */
  #url(): string {
    return this.#replay === null ? this.#path() : this.#path() + stretchOf(this.#part.clip, this.#part.until_ms());
  }

  #refused(error: unknown): void {
    if (!(error instanceof ApiError)) throw error;
    if (error.status === 401) void this.#listener.sessionEnded().then(() => this.#later(0));
    else if (error.status === 403) this.#show("not-covered");
    else if (error.code === "not-started" || error.code === "not-recorded") {
      this.#show("not-started");
      this.#later(retryAfterMs(error.retry_after_s, NOT_STARTED_MS));
    } else if (error.status === 404) this.#show(error.code === "no-such-replay" || error.code === "no-such-stretch" ? "no-such-replay" : "no-such-channel");
    else this.#trouble("edge-failing", error.retry_after_s);
  }

  #later(delay_ms: number): void {
    if (!this.#started) return;
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#connect(), delay_ms);
  }

  /** Starts afresh after a while that grows with every failure in a row. */
  #trouble(state: "nodes-failing" | "edge-failing", retry_after_s: number | null = null): void {
    this.#failing = state;
    this.#show(state);
    const delay_ms = Math.min(TROUBLE_MS * 2 ** Math.min(this.#troubles, 8), TROUBLE_MS_MAX);
    this.#troubles += 1;
    this.#later(retryAfterMs(retry_after_s, delay_ms));
  }

  #attach(): void {
    this.#detach();
    const course = {
      book: this.#book,
      patience: this.#patience,
      extra: this.#extra,
      ahead_ms: () => this.buffered() * 1000,
      random: Math.random,
      answered: (answer: Answer) => this.#answered(answer),
    };
    const page = {
      fetch: (url: string, init: RequestInit) => fetch(url, init),
      now: () => performance.now(),
      hedged: () => void (this.#facts.hedges += 1),
      exhausted: () => this.#ill("nodes-failing"),
      busy: (by: 1 | -1) => this.#stand.busy(by),
    };
    const { loader } = Hls.DefaultConfig;
    const objects = new Objects(this.#channel);
    const fLoader = fragmentLoader(course, objects, page);
    const pLoader = playlistLoader(objects, loader, {
      address: (url) => withUntil(url, this.#replay === null ? null : this.#part.until_ms()),
      multivariant: (text, choice) => {
        this.#changes.plays(choice);
        return this.choosing.take(text);
      },
      media: (text, choice) => {
        this.#changes.hears(choice, performance.now());
        return this.#begin_ms === null ? text : startingAt(text, this.#begin_ms);
      },
    });
    const hls = new Hls({ ...CONFIG, startPosition: this.#replay === null ? -1 : this.#resume_s, fLoader, pLoader });
    [this.#hls, this.#objects] = [hls, objects];
    this.#hurry.begin();
    this.choosing.attach(hls);
    hls.on(Events.MANIFEST_PARSED, () => {
      if (!this.#held) this.play();
    });
    hls.on(Events.LEVEL_LOADED, () => {
      if (this.#failing === "edge-failing") this.#well();
    });
    hls.on(Events.LEVEL_UPDATED, (_event, { details }) => {
      this.#approach();
      this.#hurry.inParts(hls, details.partList !== null && details.live);
      if (!this.#video.paused && this.#changes.isDue(performance.now())) void this.#change(hls);
    });
    hls.on(Events.FRAG_BUFFERED, (_event, { frag }) => {
      if (frag.type === "main") this.#begin_ms = null;
    });
    hls.on(Events.ERROR, (_event, data) => this.#failed(hls, data));
    hls.loadSource(this.#url());
    hls.attachMedia(this.#video);
  }

  /** Takes the presentation from the beginning, and goes on where it is. */
  #again(): void {
    const [hls, video] = [this.#hls, this.#video];
    if (hls === null) return;
    if (this.#replay === null) this.#begin_ms = hls.playingDate?.getTime() ?? this.#begin_ms;
    this.#held ||= this.#pictured && video.paused;
    this.#facts.renewals += 1;
    this.#listener.again();
    this.#attach();
    this.#pictured = false;
    if (!this.#held) this.#show("connecting");
  }

  /** There is said to be something else to choose from: takes it, if that is so. */
  async #change(hls: Hls): Promise<void> {
    // What can't be asked for now is said again.
    const found = await multivariant(this.#url()).catch(() => null);
    if (found === null || hls !== this.#hls) return;
    if (this.#changes.takes(found.choice, this.choosing.isLess(found.text))) this.#again();
  }

  #answered(answer: Answer): void {
    if (answer.right) {
      this.#facts.segments += 1;
      this.#facts.bytes = this.#extra.total;
      this.#troubles = 0;
      this.#well();
      this.#listener.served(answer.place.node);
    } else {
      this.#facts.retries += 1;
      this.#listener.nodeFailed();
    }
    this.#listener.answered(answer);
  }

  #detach(): void {
    // After trouble, a recording goes on where it was.
    this.#resume_s = this.#pictured ? this.#video.currentTime : this.#resume_s;
    if (this.#hls !== null) this.#hurry.inParts(this.#hls, false);
    this.choosing.detach();
    this.#hls?.destroy();
    this.#hls = null;
  }

  /** Something fails. The viewer hears of it once the picture stands still. */
  #ill(what: "nodes-failing" | "edge-failing"): void {
    this.#failing = what;
    if (this.#video.readyState < HTMLMediaElement.HAVE_FUTURE_DATA) this.#show(what);
  }

  #well(): void {
    this.#failing = null;
    if (this.#shown === "nodes-failing" || this.#shown === "edge-failing") this.#show("connecting");
  }

  /** Goes on once there is a session again: what is buffered plays meanwhile, and is what it goes on from. */
  #resume(hls: Hls): void {
    const login = () => this.#listener.sessionEnded();
    void this.#lapse.wait(hls, login, () => this.#hls, () => this.#later(0));
  }

  /** Whether a rendition is no longer there, and hls.js has no other one to go on with; then what there is now is taken. */
  #hasVanished({ details, fatal, networkDetails, response }: ErrorData): boolean {
    const playlist = details === ErrorDetails.LEVEL_LOAD_ERROR || details === ErrorDetails.AUDIO_TRACK_LOAD_ERROR;
    const now_ms = performance.now();
    if (!fatal || !playlist || response?.code !== 404 || now_ms - this.#vanished_ms < VANISHED_MS) return false;
    // What has not begun yet is asked for again.
    if (header(networkDetails, "retry-after") !== null) return false;
    this.#vanished_ms = now_ms;
    this.#again();
    return true;
  }

  #failed(hls: Hls, data: ErrorData): void {
    if (hls !== this.#hls) return;
    // hls.js' own changes of mind.
    if (data.details === ErrorDetails.INTERNAL_ABORTED) return;
    const fatal = data.fatal ? " (fatal)" : "";
    this.#facts.note(`${data.details}${fatal}: ${data.error.message}`.slice(0, NOTE_LEN_MAX), this.#video.currentTime);
    if (data.details === ErrorDetails.BUFFER_STALLED_ERROR) this.#facts.stalls += 1;
    const segment = data.details === ErrorDetails.FRAG_LOAD_ERROR || data.details === ErrorDetails.FRAG_LOAD_TIMEOUT;
    if (data.type === ErrorTypes.NETWORK_ERROR && !segment) {
      // A node's 401 says nothing of our session, the edge's does.
      if (data.response?.code === 401) {
        this.#resume(hls);
        return;
      }
      if (this.#hasVanished(data)) return;
      this.#ill("edge-failing");
      if (data.details === ErrorDetails.KEY_LOAD_ERROR && data.response?.code === 403) this.#listener.keyRefused();
    }
    if (!data.fatal) return;
    if (data.type === ErrorTypes.MEDIA_ERROR && performance.now() - this.#repaired_ms > REPAIR_MS) {
      this.#repaired_ms = performance.now();
      hls.recoverMediaError();
      return;
    }
    this.#detach();
    this.#trouble(segment ? "nodes-failing" : "edge-failing");
  }
}
