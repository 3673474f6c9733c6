// The page of one channel, live or a recording of it: picture, score, controls, and which node is in use.

import * as api from "./api";
import { ApiError, claimScreen, nodes, programme, releaseScreen, stopScreen, type Phase } from "./api";
import { tell } from "./beacons";
import { controls } from "./controls";
import { dataMode, keepStill } from "./datamode";
import { qualities, SOUND_ONLY } from "./quality";
import { el, setText, topBar } from "./dom";
import { EdgeLine } from "./edgeline";
import { expose, Facts } from "./facts";
import { replayPath } from "./home";
import { logoutButton } from "./logout";
import { NodeLine } from "./nodeline";
import { NodePoll } from "./nodepoll";
import { NodeBook, type Node } from "./nodes";
import { Panel } from "./panel";
import type { State } from "./playing";
import { leastAheadMs, Playback } from "./playback";
import { clipOf, Reach, setSpoilerFree, spoilerFree } from "./reach";
import { loginOver, Relogin } from "./relogin";
import { keepAlive } from "./renewal";
import { soundOnly } from "./soundonly";
import { sounds } from "./sounds";
import { switcher } from "./switcher";
import { clipBar, replayBar } from "./replaybar";
import type { Replay } from "./replays";
import { ScoreView } from "./scoreview";
import { askWhich, tellStopped } from "./screenpanel";
import { deviceName, Lease, storedId } from "./screens";
import { seekPictures } from "./seekpictures";

/** How often the channels are asked for, in milliseconds. */
const CHANNELS_MS = 20_000;
/** The least time between two questions for the channels, whatever happens, in milliseconds. */
const CHANNELS_MS_MIN = 1_000;
const TICK_MS = 500;

interface Words {
  title: string;
  more: string;
  /** Whether something is under way that will end by itself. */
  busy: boolean;
}

const WORDS: Record<Exclude<State, "playing"> | "feed-paused" | "replay-ended", Words> = {
  connecting: { title: "Connecting…", more: "", busy: true },
  "not-started": { title: "Not started yet", more: "The picture comes by itself as soon as play begins.", busy: true },
  "feed-paused": { title: "Waiting for the table", more: "No picture comes from the venue. It returns by itself.", busy: true },
  ended: { title: "This channel has ended", more: "", busy: false },
  "replay-ended": { title: "The recording is over", more: "", busy: false },
  "nodes-failing": { title: "No node answers at the moment", more: "Trying all of them again. Nothing for you to do.", busy: true },
  "edge-failing": { title: "Railbird can't be reached", more: "Trying again. Check your connection if this lasts.", busy: true },
  "not-covered": { title: "Your pass does not cover this channel", more: "Choose another channel above.", busy: false },
  "no-such-channel": { title: "There is no such channel", more: "Choose another channel above.", busy: false },
  "no-such-replay": { title: "There is no such recording", more: "It may no longer be kept.", busy: false },
  unsupported: { title: "This browser can't play the picture", more: "Update it, or use a current Chrome, Firefox, Edge or Safari.", busy: false },
};

export function watchPage(app: HTMLElement, channel: string, recording: string | null): void {
  const { tools } = topBar();
  const channels = switcher(channel);
  tools.append(channels.select, logoutButton());

  const video = el("video", { playsinline: true, autoplay: true, "aria-label": "Live picture", "data-testid": "video" });
  // Browsers start only silent pictures by themselves; the property counts, not the attribute.
  video.muted = true;
  const [title, more] = [el("strong"), el("span")];
  const offer = el("a", { class: "primary offer", href: "/", hidden: true, "data-testid": "offer" }, "Watch the replay");
  const notice = el("div", { class: "notice", role: "status", "data-testid": "state" }, el("i", { class: "spinner" }), title, more, offer);
  const unmute = el("button", { type: "button", class: "unmute", "data-testid": "unmute", hidden: true }, "Tap for sound");
  const start = el("button", { type: "button", class: "start primary", "data-testid": "start", hidden: true }, "Play");
  const still = el("canvas", { class: "still", hidden: true, "aria-hidden": "true" });
  const picture = el("div", { class: "picture" }, video, still, notice, unmute, start);
  const panel = new Panel();
  const stage = el("div", { class: "stage", "data-testid": "stage" }, picture, panel.place);

  const facts = new Facts();
  const book = new NodeBook();
  const line = new NodeLine();
  const relogin = new Relogin({
    ask: loginOver(panel),
    // Another session has no screen yet.
    async returned() {
      if (playback.started) await lease.claim();
    },
    now: () => performance.now(),
  });
  const sessionEnded = () => relogin.ended();
  let state: State = "connecting";
  let phase: Phase | null = null;
  let replays: readonly Replay[] = [];
  const clip = recording === null ? null : clipOf(location.search);
  /** How far the viewer has come of a recording, who is to know nothing later; begun when it is known where that starts. */
  let free = recording !== null && spoilerFree();
  let reach = free ? new Reach(clip?.from_ms ?? 0, leastAheadMs()) : null;
  reach?.allow(clip?.to_ms ?? 0);
  let begun = clip !== null;
  /** The recording that is being made of what is live. */
  const beingMade = () => replays.find(({ live }) => live)?.id ?? null;

  const showState = () => {
    notice.hidden = state === "playing" || !start.hidden || panel.asks("screens") || data.on;
    const paused = state === "connecting" && phase === "waiting" && playback.replay === null;
    const shown = paused ? "feed-paused" : state === "ended" && recording !== null ? "replay-ended" : state;
    notice.dataset["state"] = shown;
    if (shown === "playing") return;
    const words = WORDS[shown];
    notice.classList.toggle("busy", words.busy);
    setText(title, words.title);
    setText(more, words.more);
    const newest = recording === null ? replays.find(({ live }) => !live) : undefined;
    offer.hidden = shown !== "ended" || newest === undefined;
    if (newest !== undefined) offer.href = replayPath(channel, newest.id);
  };
  let asked_ms = Number.NEGATIVE_INFINITY;
  let asking: ReturnType<typeof setTimeout> | undefined;
  const refreshChannels = () => {
    const wait_ms = Math.max(0, asked_ms + CHANNELS_MS_MIN - performance.now());
    clearTimeout(asking);
    asking = setTimeout(() => void askChannels(), wait_ms);
  };
  const askChannels = async () => {
    asked_ms = performance.now();
    try {
      const answer = await programme(free);
      channels.show(answer.channels);
      const own = answer.channels.find(({ id }) => id === channel);
      if (own !== undefined) {
        // The poll's list is newer, where there is one.
        if (!poll.told || book.nodes.length === 0) book.update(own.nodes);
        phase = own.phase;
        replays = own.replays;
        const played = free ? replays.find(({ id }) => id === recording) : undefined;
        if (played !== undefined && !begun) {
          begun = true;
          reach = new Reach(played.start_ms, leastAheadMs());
        }
        showState();
        if (recording === null) document.title = `${own.title} · Railbird`;
      }
    } catch (error) {
      if (!(error instanceof ApiError)) throw error;
      if (error.status === 401) await sessionEnded();
    }
    clearTimeout(asking);
    asking = setTimeout(() => void askChannels(), CHANNELS_MS);
  };
  const take = (list: readonly Node[]): void => book.update(list);
  const told = new EdgeLine({ open: () => api.openLine(channel), read: api.readNodes, take, random: Math.random });
  const poll = new NodePoll({
    async ask() {
      const answer = await nodes(channel);
      // Nobody holds a line for what does not change.
      if (answer?.line === true && recording === null) told.start();
      return answer;
    },
    take,
    otherwise: refreshChannels,
    async failed(error) {
      if (!(error instanceof ApiError)) throw error;
      if (error.status === 401) await sessionEnded();
    },
    watched: () => recording === null && document.visibilityState === "visible" && !told.told,
    now: () => performance.now(),
    random: Math.random,
  });

  const part = { until_ms: () => reach?.until_ms ?? null, clip };
  /** Plays the recording anew, with or without what was kept from the viewer. */
  const setFree = (next: boolean) => {
    const at_ms = playback.playingDate()?.getTime() ?? null;
    [free, begun, reach] = [next, false, next ? new Reach(0, leastAheadMs()) : null];
    if (!playback.started) return;
    // Where it starts, the list says.
    void askChannels().then(() => turnTo(recording, next ? null : at_ms));
  };
  const leaveClip = () => {
    const from_ms = playback.playingDate()?.getTime() ?? clip?.from_ms ?? null;
    part.clip = null;
    history.replaceState(null, "", location.pathname);
    around.replaceWith((around = replay()));
    if (playback.started) turnTo(recording, from_ms);
  };
  const playback = new Playback(video, channel, recording, part, book, facts, {
    state(next) {
      state = next;
      if (next === "playing") [start.hidden, still.hidden] = [true, !data.on];
      // Where the picture stands still, the edge may know why.
      if (next === "connecting") refreshChannels();
      showState();
    },
    sessionEnded,
    served(node) {
      if (line.served(node, performance.now())) facts.reroutes += 1;
      // The list is older than the playlist.
      if (node === null) poll.hurry();
    },
    nodeFailed: () => poll.hurry(),
    answered: tell(channel),
    // The edge will say why when it is asked for the screen.
    keyRefused: () => void lease.claim(),
    // What was shown last stays until the next picture comes.
    again: () => (still.hidden = !keepStill(video, still)),
    blocked() {
      start.hidden = false;
      showState();
    },
  });

  const turnTo = (replay: string | null, at_ms: number | null) => {
    playback.turnTo(replay, at_ms);
    view.refresh();
  };
  const view = new ScoreView({
    channel,
    recording: () => recording ?? playback.replay ?? beingMade(),
    recorded: () => playback.replay !== null,
    at_ms: () => playback.playingDate()?.getTime() ?? null,
    blind: () => playback.replay === null && (data.on || state === "nodes-failing" || state === "edge-failing" || (state === "connecting" && phase === "waiting")),
    reach: () => reach,
    goesOn: () => playback.replay !== null && playback.replay === beingMade(),
    goTo(at_ms) {
      data.leave();
      if (playback.goTo(at_ms)) return;
      // It has left the window, and is in the recording that is being made.
      const whole = beingMade();
      if (playback.replay === null && whole !== null) turnTo(whole, at_ms);
    },
    languageChanged() {
      data.refresh();
      quality.refresh();
      sound.refresh();
      alone.refresh();
      if (recording !== null && part.clip === null) around.replaceWith((around = replay()));
    },
    sessionEnded,
  });
  picture.append(view.board.board);
  const data = dataMode(video, still, playback, () => {
    view.draw(0);
    showState();
  });

  const resume = () => {
    const at_ms = playback.playingDate()?.getTime() ?? 0;
    // At its end, a clip begins again.
    if (part.clip !== null && at_ms >= part.clip.to_ms) playback.goTo(part.clip.from_ms);
    else playback.play();
  };
  const bar = controls(stage, video, line.line, {
    play() {
      if (!data.leave()) resume();
    },
    goLive() {
      data.leave();
      if (!playback.started) return;
      if (playback.replay === null) playback.goLive();
      else playback.turnTo(null);
      view.refresh();
    },
    behind: () => playback.behind(),
    startOver() {
      const start = beingMade();
      const playing = recording !== null || playback.replay !== null;
      return start === null || playing || !playback.started ? null : () => turnTo(start, null);
    },
    live: () => recording === null,
    endless: () => reach !== null && part.clip === null,
    pictures: seekPictures(playback, () => bar.pictured()),
  });
  const { choosing } = playback;
  const quality = qualities(
    () => choosing.offer,
    (chosen) => choosing.choose(chosen),
  );
  const sound = sounds(
    () => choosing.sounds,
    () => choosing.soundPlaying,
    (chosen) => choosing.chooseSound(chosen),
  );
  const alone = soundOnly(choosing, stage, () => quality.choose(SOUND_ONLY));
  picture.append(alone.hint);
  notice.before(alone.poster);
  bar.bar.append(sound.bar, quality.bar);
  stage.append(bar.bar);
  const showUnmute = () => {
    unmute.hidden = !video.muted || video.paused || !playback.started;
  };
  unmute.addEventListener("click", () => {
    video.muted = false;
    if (video.volume === 0) video.volume = 0.5;
  });
  for (const event of ["volumechange", "play", "pause", "emptied"]) video.addEventListener(event, showUnmute);
  start.addEventListener("click", resume);
  video.addEventListener("click", () => {
    if (matchMedia("(hover: hover)").matches) (video.paused ? resume() : video.pause());
  });
  const replay = () =>
    replayBar(free, {
      skip(ms) {
        const at_ms = playback.playingDate()?.getTime();
        if (reach !== null && at_ms !== undefined) playback.goTo(reach.skip(at_ms, ms));
      },
      showAll: () => setFree(false),
      hide() {
        setSpoilerFree(true);
        setFree(true);
      },
    });
  let around = recording === null ? data.bar : clip !== null ? clipBar(leaveClip) : replay();
  app.replaceChildren(el("div", { class: "watch" }, stage, around, view.below));
  showState();

  const frames = typeof video.requestVideoFrameCallback === "function";
  if (frames) {
    const frame: VideoFrameRequestCallback = (_now, { mediaTime }) => {
      view.draw(mediaTime - video.currentTime);
      video.requestVideoFrameCallback(frame);
    };
    video.requestVideoFrameCallback(frame);
  }
  // The media clock goes on before the picture does: where pictures say when they come up, it counts only for who sees none.
  const byClock = () => {
    if (!frames || choosing.alone || document.visibilityState === "hidden") view.draw(0);
  };
  video.addEventListener("timeupdate", byClock);
  video.addEventListener("seeked", byClock);
  video.addEventListener("timeupdate", () => {
    const at_ms = playback.playingDate()?.getTime() ?? 0;
    if (part.clip !== null && at_ms >= part.clip.to_ms && !video.paused) video.pause();
  });
  setInterval(() => {
    playback.tick();
    bar.refresh();
    sound.refresh();
    quality.refresh();
    alone.refresh();
    if (video.paused || !playback.started) view.draw(0);
    line.refresh(performance.now());
  }, TICK_MS);

  expose(
    facts,
    {
      node: () => line.node,
      playingDate: () => playback.playingDate(),
      latency: () => playback.latency(),
      buffered: () => playback.buffered(),
      media_s: () => video.currentTime,
    },
    channel,
  );
  view.start(recording === null);

  if (clip !== null) playback.goTo(clip.from_ms);
  const play = () => {
    panel.close("screens");
    if (playback.started || data.on) return;
    // What is left of its window is no more than its last minutes: the recording has all of it.
    if (recording === null && phase === "ended" && replays.some(({ live }) => !live)) {
      lease.release();
      state = "ended";
      showState();
    } else playback.start();
  };
  const lease = new Lease({
    claim: (id, again) => claimScreen(id, deviceName(navigator.userAgent), again),
    stop: stopScreen,
    release: releaseScreen,
    id: storedId,
    granted: play,
    full(screens) {
      playback.stop();
      askWhich(panel, lease, screens);
      showState();
    },
    stopped() {
      playback.stop();
      tellStopped(panel, lease);
      showState();
    },
    noSession: sessionEnded,
  });
  addEventListener("pagehide", () => lease.release());
  // A page that comes back as it was left.
  addEventListener("pageshow", ({ persisted }) => {
    if (persisted) void lease.claim();
  });
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "visible") poll.hurry();
  });
  keepAlive();
  // The nodes first: the first segment's loader should know them.
  void Promise.all([askChannels(), poll.start()]).then(() => lease.claim());
}
