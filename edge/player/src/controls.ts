// The controls under the picture: play, sound, where in the programme, live, full screen. Ours, so that nothing covers the score.

import { el, icon, setText, type Icon } from "./dom";
import { SeekBar } from "./seekbar";
import type { SeekPictures } from "./seekpictures";

/** Further behind than this, in seconds, a viewer no longer watches live. Playlists move by whole segments. */
const LIVE_WITHIN_S = 5;
/** How far an arrow key goes, in seconds. */
const STEP_S = 10;
/** After this time without a movement the controls leave a full screen, in milliseconds. */
const IDLE_MS = 3_000;
/** A phone on its side, as app.css knows it: there the picture fills the window. */
const PHONE_SIDE = "(max-height: 30rem) and (orientation: landscape)";

export interface Actions {
  play(): void;
  goLive(): void;
  behind(): number;
  /** Plays the programme from its start; `null` where that is not kept, or is what is played. */
  startOver(): (() => void) | null;
  /** Whether there is something live to go to. */
  live(): boolean;
  /** Nobody is to know how long it is. */
  endless(): boolean;
  /** What is to be seen where a viewer points; `null` where the browser can't say. */
  pictures: SeekPictures | null;
}

export interface Controls {
  bar: HTMLElement;
  /** Call every second or so. */
  refresh(): void;
  /** A small picture that was wanted has been made. */
  pictured(): void;
}

interface Button {
  button: HTMLButtonElement;
  set(name: Icon, label: string): void;
}

function iconButton(test: string): Button {
  const button = el("button", { type: "button", class: "tool", "data-testid": test });
  let shown = "";
  return {
    button,
    set(name, label) {
      if (shown === name + label) return;
      shown = name + label;
      button.replaceChildren(icon(name));
      button.setAttribute("aria-label", label);
      button.title = label;
    },
  };
}

/** Full screen of the stage, so that the score comes along; a full window where the browser offers only the bare video. */
function fullScreen(stage: HTMLElement): { toggle(): void; active(): boolean } {
  const filled = () => stage.classList.contains("filled");
  return {
    active: () => document.fullscreenElement === stage || filled(),
    toggle() {
      if (document.fullscreenElement !== null) void document.exitFullscreen();
      else if (typeof stage.requestFullscreen === "function" && document.fullscreenEnabled) {
        stage.requestFullscreen({ navigationUI: "hide" }).catch(() => stage.classList.toggle("filled"));
      } else stage.classList.toggle("filled");
      document.documentElement.classList.toggle("still", filled());
    },
  };
}

export function controls(stage: HTMLElement, video: HTMLVideoElement, status: HTMLElement, actions: Actions): Controls {
  const play = iconButton("play");
  const sound = iconButton("mute");
  const full = iconButton("fullscreen");
  const volume = el("input", { type: "range", min: "0", max: "1", step: "0.05", class: "volume", "aria-label": "Volume" });
  const live = el("button", { type: "button", class: "live", "data-testid": "live" });
  const over = el("button", { type: "button", class: "start-over", "data-testid": "start-over" }, "Start over");
  const seek = new SeekBar(video, stage, actions);
  const screen = fullScreen(stage);

  over.addEventListener("click", () => actions.startOver()?.());

  const togglePlay = () => {
    if (video.paused) actions.play();
    else video.pause();
  };
  const toggleSound = () => {
    video.muted = !video.muted;
    if (!video.muted && video.volume === 0) video.volume = 0.5;
  };
  play.button.addEventListener("click", togglePlay);
  sound.button.addEventListener("click", toggleSound);
  full.button.addEventListener("click", () => {
    screen.toggle();
    refresh();
  });
  volume.addEventListener("input", () => {
    video.volume = Number(volume.value);
    video.muted = video.volume === 0;
  });
  live.addEventListener("click", () => actions.goLive());

  const phoneSide = matchMedia(PHONE_SIDE);

  function refresh(): void {
    stage.classList.toggle("over", screen.active() || phoneSide.matches);
    play.set(video.paused ? "play" : "pause", video.paused ? "Play (K)" : "Pause (K)");
    sound.set(video.muted ? "muted" : "sound", video.muted ? "Sound on (M)" : "Sound off (M)");
    full.set(screen.active() ? "shrink" : "enlarge", screen.active() ? "Leave full screen (F)" : "Full screen (F)");
    volume.value = String(video.muted ? 0 : video.volume);
    seek.refresh();
    over.hidden = actions.startOver() === null;
    live.hidden = video.readyState === HTMLMediaElement.HAVE_NOTHING || !actions.live();
    const behind_s = actions.behind();
    const near = behind_s < LIVE_WITHIN_S;
    const now = near && !video.paused && video.readyState >= HTMLMediaElement.HAVE_FUTURE_DATA;
    live.dataset["live"] = String(now);
    setText(live, near ? (video.paused ? "Go live" : "Live") : seek.range() === null ? `Go live (−${Math.round(behind_s)} s)` : "Go live");
    live.title = now ? "You are watching live" : "Jump to the live picture (L)";
  }

  for (const event of ["play", "pause", "volumechange", "seeked", "playing", "emptied"]) video.addEventListener(event, refresh);
  document.addEventListener("fullscreenchange", refresh);
  phoneSide.addEventListener("change", refresh);

  let idle: ReturnType<typeof setTimeout> | undefined;
  const awake = () => {
    stage.classList.remove("idle");
    clearTimeout(idle);
    idle = setTimeout(() => stage.classList.add("idle"), IDLE_MS);
  };
  for (const event of ["pointermove", "pointerdown", "keydown", "focusin"]) stage.addEventListener(event, awake);
  awake();

  document.addEventListener("keydown", (event) => {
    const target = event.target instanceof Element ? event.target : null;
    if ((event.repeat && !event.key.startsWith("Arrow")) || event.ctrlKey || event.metaKey || event.altKey || target?.closest("input, select, textarea")) return;
    const key = event.key.toLowerCase();
    if (key === "k" || (key === " " && !target?.closest("button, a"))) togglePlay();
    else if (key === "m") toggleSound();
    else if (key === "f") screen.toggle();
    else if (key === "l" && actions.live()) actions.goLive();
    else if (key === "arrowleft") seek.step(-STEP_S);
    else if (key === "arrowright") seek.step(STEP_S);
    else if (key === "home") seek.seekTo(0);
    else if (key === "escape" && stage.classList.contains("filled")) screen.toggle();
    else return;
    event.preventDefault();
    awake();
    refresh();
  });

  const bar = el("div", { class: "bar", role: "group", "aria-label": "Playback" });
  bar.append(play.button, sound.button, volume, live, over, seek.timeline, status, full.button);
  refresh();
  return { bar, refresh, pictured: () => seek.shown() };
}
