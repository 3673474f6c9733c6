// Plays one channel, live or a recording of it: hls.js with our segment loader, or the browser's own HLS where there is no Media Source.

import Hls, {
  ErrorDetails,
  ErrorTypes,
  Events,
  type ErrorData,
  type HlsConfig,
  type LoaderConfig,
  type LoaderResponse,
  type RetryConfig,
} from "hls.js";
import { ApiError, playable, playlistPath } from "./api";
import { CATCH_UP_RATE, CatchUp } from "./catchup";
import type { Facts } from "./facts";
import { Extra } from "./extra";
import { fragmentLoader, playlistLoader } from "./loader";
import type { NodeBook, Place } from "./nodes";
import { Objects } from "./objects";
import { Patience } from "./patience";
import { type Answer, RACE_MS_MAX } from "./race";
import { Keeper, placeOf, remembered } from "./quality";
import { type Sound, placeOf as placeOfSound, remembered as rememberedSound } from "./sounds";
import { AHEAD_MS, AHEAD_MS_MIN, runsOut, withUntil } from "./reach";
import { pictureCodec, type Sight, sightAt } from "./sights";

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
  /** The browser wants a tap before it plays. */
  blocked(): void;
}

/** Delay between attempts to reach a channel, in milliseconds: not started, and trouble. */
const NOT_STARTED_MS = 2_000;
const TROUBLE_MS = 1_000;
const TROUBLE_MS_MAX = 5_000;
/** A `retry-after` is followed within these bounds, in seconds. */
const RETRY_AFTER_S_MIN = 1;
const RETRY_AFTER_S_MAX = 30;
/** At most one repair of the media pipeline in this time, in milliseconds; a second one starts afresh. */
const REPAIR_MS = 5_000;
/** The longest note of an error, in characters. */
const NOTE_LEN_MAX = 300;
/** hls.js' worker, a file of ours beside this one: the Content-Security-Policy allows no other place. */
const WORKER_PATH = "/assets/hls.worker.js";

function retry(maxNumRetry: number): RetryConfig {
  return {
    maxNumRetry,
    retryDelayMs: 300,
    maxRetryDelayMs: 2_000,
    // hls.js itself gives up where a connection is refused (status 0) while the browser is online.
    shouldRetry: (config, count, _timeout, response: LoaderResponse | undefined, otherwise) =>
      !!otherwise || (count < (config?.maxNumRetry ?? 0) && response?.code === 0),
  };
}

function policy(first_ms: number, whole_ms: number, tries: number): { default: LoaderConfig } {
  return {
    default: {
      maxTimeToFirstByteMs: first_ms,
      maxLoadTimeMs: whole_ms,
      timeoutRetry: { maxNumRetry: tries, retryDelayMs: 0, maxRetryDelayMs: 0 },
      errorRetry: retry(tries),
    },
  };
}

/**
 * How far behind the newest is played, the playlist says: three parts where there are parts, else three segments, which is
 * hls.js' own default.
 */
const CONFIG: Partial<HlsConfig> = {
  enableWorker: true,
  // The score is drawn by us: its subtitles, date ranges and tags are for the players of others. Tracks for them would be
  // loaded from an address that our Content-Security-Policy does not allow.
  enableWebVTT: false,
  enableIMSC1: false,
  enableDateRangeMetadataCues: false,
  enableID3MetadataCues: false,
  enableEmsgMetadataCues: false,
  workerPath: WORKER_PATH,
  // Of a playlist without parts nothing else is made by this.
  lowLatencyMode: true,
  backBufferLength: 30,
  maxBufferLength: 30,
  maxMaxBufferLength: 60,
  manifestLoadPolicy: policy(4_000, 8_000, 3),
  playlistLoadPolicy: policy(3_000, 6_000, 8),
  keyLoadPolicy: policy(3_000, 6_000, 8),
  steeringManifestLoadPolicy: policy(4_000, 8_000, 2),
  // A playlist that doesn't follow from the one before is no reason to stop: what is listed is what there is.
  ignorePlaylistParsingErrors: true,
  // Time-outs within a segment are the loader's own.
  fragLoadPolicy: policy(RACE_MS_MAX, RACE_MS_MAX, 6),
};

/** How far ahead of the picture a recording is asked for at least, where nothing later is to be known, in milliseconds. */
export const leastAheadMs = (): number => (Hls.isSupported() ? AHEAD_MS_MIN : AHEAD_MS);

/** After a gap in the sound that was chosen, it is tried again so much later, in milliseconds. */
const SOUND_AWAY_MS = 30_000;

/** A delay within the bounds that a `retry-after` is followed in. */
export const retryAfterMs = (retry_after_s: number | null, otherwise_ms: number): number =>
  retry_after_s === null
    ? otherwise_ms
    : Math.min(Math.max(retry_after_s, RETRY_AFTER_S_MIN), RETRY_AFTER_S_MAX) * 1000;

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
  #catchUp = new CatchUp();
  /** What is played is live, and comes in parts. */
  #lowLatency = false;
  #hls: Hls | null = null;
  #objects: Objects | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #troubles = 0;
  #repaired_ms = Number.NEGATIVE_INFINITY;
  #shown: State | null = null;
  #failing: "nodes-failing" | "edge-failing" | null = null;
  #pictured = false;
  #started = false;
  /** It waits for a session. */
  #resuming = false;
  /** Where a recording begins to play. */
  #resume_s = 0;
  #part: Part;
  /** How high a picture the viewer chose. */
  #height = remembered();
  #keeper = new Keeper();
  /** Which sound the viewer chose. */
  #sound = rememberedSound();
  #soundTimer: ReturnType<typeof setTimeout> | undefined;
  /** Where the viewer wants to be, on the media timeline, once that is listed. */
  #goal_ms: number | null = null;
  /** Up to where the browser's own player knows the recording, in milliseconds of media time; `null`: all of it. */
  #given_ms: number | null = null;

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
    this.#channel = channel;
    this.#replay = replay;
    this.#book = book;
    this.#facts = facts;
    this.#listener = listener;
    video.addEventListener("playing", () => {
      this.#pictured = true;
      this.#show("playing");
    });
    video.addEventListener("waiting", () => {
      if (this.#pictured && !video.seeking) {
        facts.waitingEvents += 1;
        facts.note("waiting", video.currentTime);
      }
      this.#show(this.#failing ?? "connecting");
    });
    video.addEventListener("timeupdate", () => this.#hurry());
    video.addEventListener("timeupdate", () => this.#extend());
    video.addEventListener("seeking", () => this.#catchUp.seeks(video.currentTime));
    video.addEventListener("pause", () => this.#catchUp.paused());
    video.addEventListener("ended", () => this.#show("ended"));
    video.addEventListener("error", () => {
      // With hls.js, it is hls.js that reports and repairs.
      if (this.#hls === null && video.error !== null) this.#trouble("edge-failing");
    });
  }

  /** Asks for the channel until it is there, then plays it. */
  start(): void {
    this.#started = true;
    this.#show("connecting");
    void this.#connect();
  }

  /** Plays nothing until it is started again. */
  stop(): void {
    this.#started = false;
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
    this.#failing = null;
    this.#detach();
    this.#pictured = false;
    this.#resume_s = 0;
    this.start();
  }

  /** Goes to a moment on the media timeline: at once, or when it is listed. False where it was left behind. */
  goTo(at_ms: number): boolean {
    this.#goal_ms = at_ms;
    const place = this.#place(at_ms);
    if (place === "gone") {
      this.#goal_ms = null;
      return false;
    }
    this.#approach();
    return true;
  }

  /** The media timeline's moment on the video's own clock: in seconds, or that it is no longer, or not yet, listed. */
  #place(at_ms: number): number | "gone" | "ahead" {
    if (this.#hls === null) {
      const video = this.#video as HTMLVideoElement & { getStartDate?: () => Date };
      const start = video.getStartDate?.().getTime() ?? Number.NaN;
      return Number.isNaN(start) ? "ahead" : Math.max(0, (at_ms - start) / 1000);
    }
    const fragments = this.#hls.latestLevelDetails?.fragments ?? [];
    const after = fragments.findIndex(({ programDateTime }) => programDateTime !== null && programDateTime > at_ms);
    const fragment = after === 0 ? undefined : after < 0 ? fragments.at(-1) : fragments[after - 1];
    if (fragment === undefined) return fragments.length === 0 ? "ahead" : "gone";
    const into_s = (at_ms - (fragment.programDateTime ?? at_ms)) / 1000;
    if (into_s <= fragment.duration) return fragment.start + into_s;
    // In a hole, what comes next is nearest.
    return fragments[after]?.start ?? "ahead";
  }

  /** Goes where the viewer wants to be, if that is listed by now. */
  #approach(): void {
    if (this.#goal_ms === null) return;
    const place = this.#place(this.#goal_ms);
    if (typeof place !== "number") return;
    if (this.#hls === null && runsOut(this.#given_ms, this.#part.until_ms(), this.#goal_ms)) {
      this.#goal_ms = null;
      this.#give(place);
      return;
    }
    this.#goal_ms = null;
    this.#catchUp.seeks(place);
    this.#video.currentTime = place;
    this.play();
  }

  /** The date on the media timeline of the picture now shown; `null` before the first. */
  playingDate(): Date | null {
    if (this.#hls !== null) return this.#hls.playingDate;
    // Safari's own player knows the date of position 0.
    const video = this.#video as HTMLVideoElement & { getStartDate?: () => Date };
    const start = video.getStartDate?.().getTime() ?? Number.NaN;
    return Number.isNaN(start) ? null : new Date(start + video.currentTime * 1000);
  }

  /** What is to be seen at a moment of the video's clock, in seconds; `null` where that is not known. */
  sightAt(at_s: number): Sight | null {
    const [details, level] = [this.#hls?.latestLevelDetails, this.#hls?.levels[this.#hls.loadLevel]];
    const codec = pictureCodec(level ?? {});
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
    const { seekable, currentTime } = this.#video;
    const live = this.#hls?.liveSyncPosition ?? (seekable.length > 0 ? seekable.end(seekable.length - 1) - 6 : null);
    return live === null ? 0 : Math.max(0, live - currentTime);
  }

  /** Seconds of media ahead of the picture. */
  buffered(): number {
    const { buffered, currentTime } = this.#video;
    for (let i = 0; i < buffered.length; i += 1) {
      if (buffered.start(i) <= currentTime + 0.1 && currentTime < buffered.end(i)) return buffered.end(i) - currentTime;
    }
    return 0;
  }

  /** Jumps to the live position and plays. */
  goLive(): void {
    this.#catchUp.live();
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
    else if (this.#video.canPlayType("application/vnd.apple.mpegurl") !== "") {
      this.#give(this.#resume_s);
    } else this.#show("unsupported");
  }

  /** Gives the browser's own player what is played, of a recording from a place on. */
  #give(at_s: number): void {
    this.#given_ms = this.#replay === null || this.#part.clip !== null ? null : this.#part.until_ms();
    this.#video.src = this.#url();
    if (this.#replay !== null) {
      const begin = () => {
        this.#video.currentTime = at_s;
        this.#approach();
      };
      this.#video.addEventListener("loadedmetadata", begin, { once: true });
    }
    this.play();
  }

  /** The browser's own player asks for a playlist by one address: it gets the next stretch before that one is over. */
  #extend(): void {
    const [video, at_ms] = [this.#video, this.playingDate()?.getTime()];
    if (this.#hls !== null || !this.#started || at_ms === undefined || video.paused || video.seeking) return;
    if (runsOut(this.#given_ms, this.#part.until_ms(), at_ms)) this.#give(video.currentTime);
  }

  #path(): string {
    return playlistPath(this.#channel, this.#replay);
  }

  /** The same, of as much as is played. */
  #url(): string {
    const [path, { clip }] = [this.#path(), this.#part];
    if (this.#replay === null) return path;
    if (clip !== null) return `${path}?from=${clip.from_ms}&to=${clip.to_ms}`;
    const until_ms = this.#part.until_ms();
    return until_ms === null ? path : `${path}?until=${until_ms}`;
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
    };
    const { loader } = Hls.DefaultConfig;
    const objects = new Objects(this.#channel);
    const fLoader = fragmentLoader(course, objects, page);
    const hls = new Hls({ ...CONFIG, startPosition: this.#replay === null ? -1 : this.#resume_s, fLoader, pLoader: playlistLoader(objects, loader, (url) => withUntil(url, this.#replay === null ? null : this.#part.until_ms())) });
    [this.#hls, this.#objects] = [hls, objects];
    this.#catchUp.begin();
    hls.on(Events.MANIFEST_PARSED, () => {
      this.#chooseLevel(hls);
      this.play();
    });
    hls.on(Events.AUDIO_TRACKS_UPDATED, () => this.#chooseSound(hls));
    hls.on(Events.LEVEL_LOADED, () => {
      if (this.#failing === "edge-failing") this.#well();
    });
    hls.on(Events.LEVEL_UPDATED, () => this.#approach());
    hls.on(Events.FRAG_BUFFERED, () => this.#keepLevel(hls));
    hls.on(Events.LEVEL_UPDATED, (_event, { details }) => this.#isOfLowLatency(hls, details.partList !== null && details.live));
    hls.on(Events.ERROR, (_event, data) => this.#failed(hls, data));
    hls.loadSource(this.#url());
    hls.attachMedia(this.#video);
  }

  /** How high the pictures are that there are; none where the browser plays by itself. */
  heights(): readonly number[] {
    return this.#hls?.levels.map(({ height }) => height) ?? [];
  }

  /** Plays pictures of this height; `null`: as high as the line allows. */
  choose(height: number | null): void {
    this.#height = height;
    if (this.#hls !== null) this.#chooseLevel(this.#hls);
  }

  #chooseLevel(hls: Hls): void {
    const place = placeOf(this.heights(), this.#height);
    // What is buffered goes on; before anything is, it begins there.
    if (place !== -1 || !hls.autoLevelEnabled) hls.nextLevel = place;
  }

  /** Goes back to what the viewer chose, where hls.js has left it: from what is loaded next on, and what is buffered plays. */
  #keepLevel(hls: Hls): void {
    const place = placeOf(this.heights(), this.#height);
    const left = place !== -1 && hls.autoLevelEnabled;
    if (this.#keeper.goesBack(left, performance.now())) hls.loadLevel = place;
  }

  /** The sounds that there are; none where the browser plays by itself, or where the picture brings its own. */
  sounds(): readonly Sound[] {
    return this.#hls?.audioTracks.map(({ name, lang }) => ({ name, language: lang ?? "" })) ?? [];
  }

  /** The place of the sound that plays. */
  soundPlaying(): number {
    return this.#hls?.audioTrack ?? -1;
  }

  /** Plays this sound. */
  chooseSound(sound: Sound): void {
    this.#sound = sound;
    if (this.#hls !== null) this.#chooseSound(this.#hls);
  }

  /** What is chosen lacks something, over which hls.js would jump, picture and all: meanwhile the default is heard. */
  #soundLacks(hls: Hls): void {
    const place = hls.audioTracks.findIndex((sound) => sound.default);
    if (place === -1 || place === hls.audioTrack) return;
    hls.audioTrack = place;
    clearTimeout(this.#soundTimer);
    this.#soundTimer = setTimeout(() => {
      if (hls === this.#hls) this.#chooseSound(hls);
    }, SOUND_AWAY_MS);
  }

  #chooseSound(hls: Hls): void {
    const place = placeOfSound(this.sounds(), this.#sound);
    if (place !== -1 && hls.audioTrack !== place) hls.audioTrack = place;
  }

  #isOfLowLatency(hls: Hls, is: boolean): void {
    if (is === this.#lowLatency) return;
    this.#lowLatency = is;
    hls.config.maxLiveSyncPlaybackRate = is ? CATCH_UP_RATE : 1;
    // hls.js leaves the picture of a channel that ends as fast as it is.
    if (!is) this.#video.playbackRate = 1;
  }

  /** Brings a picture that is late nearer to what is live. */
  #hurry(): void {
    const [hls, video] = [this.#hls, this.#video];
    if (hls === null || !this.#lowLatency) return;
    const moves = !video.paused && !video.seeking && video.readyState >= HTMLMediaElement.HAVE_FUTURE_DATA;
    const sight = { at_s: video.currentTime, behind_s: this.behind(), buffered_s: this.buffered(), moves };
    const { rate, jump } = this.#catchUp.look(sight, performance.now());
    // Where hls.js may not play faster, it leaves the rate alone.
    hls.config.maxLiveSyncPlaybackRate = rate === null ? CATCH_UP_RATE : 1;
    if (rate !== null) video.playbackRate = rate;
    if (!jump) return;
    this.#facts.jumps += 1;
    this.goLive();
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
    if (this.#hls !== null) this.#isOfLowLatency(this.#hls, false);
    clearTimeout(this.#soundTimer);
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
  async #resume(hls: Hls): Promise<void> {
    if (this.#resuming) return;
    this.#resuming = true;
    hls.stopLoad();
    await this.#listener.sessionEnded();
    this.#resuming = false;
    if (hls === this.#hls) hls.startLoad();
  }

  #failed(hls: Hls, data: ErrorData): void {
    if (hls !== this.#hls) return;
    // hls.js' own changes of mind.
    if (data.details === ErrorDetails.INTERNAL_ABORTED) return;
    if (data.details === ErrorDetails.FRAG_GAP && data.frag?.type === "audio") this.#soundLacks(hls);
    const fatal = data.fatal ? " (fatal)" : "";
    this.#facts.note(`${data.details}${fatal}: ${data.error.message}`.slice(0, NOTE_LEN_MAX), this.#video.currentTime);
    if (data.details === ErrorDetails.BUFFER_STALLED_ERROR) this.#facts.stalls += 1;
    const segment = data.details === ErrorDetails.FRAG_LOAD_ERROR || data.details === ErrorDetails.FRAG_LOAD_TIMEOUT;
    if (data.type === ErrorTypes.NETWORK_ERROR && !segment) {
      // A node's 401 says nothing of our session, the edge's does.
      if (data.response?.code === 401) {
        void this.#resume(hls);
        return;
      }
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
