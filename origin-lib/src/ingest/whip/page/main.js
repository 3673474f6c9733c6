// @ts-check
import { awake, list, openCamera, openMicrophone, trouble } from "./camera.js";
import { Publisher } from "./whip.js";

const BITRATES = { 540: 1_500_000, 720: 3_000_000, 1080: 6_000_000 };

/** @template {HTMLElement} T @param {string} id @returns {T} */
const element = (id) => /** @type {T} */ (document.getElementById(id));

const channel = decodeURIComponent(location.pathname.split("/").pop() ?? "");
const preview = /** @type {HTMLVideoElement} */ (element("preview"));
const state = element("state");
const key = /** @type {HTMLInputElement} */ (element("key"));
const camera = /** @type {HTMLSelectElement} */ (element("camera"));
const microphone = /** @type {HTMLSelectElement} */ (element("microphone"));
const quality = /** @type {HTMLSelectElement} */ (element("quality"));
const send = /** @type {HTMLButtonElement} */ (element("send"));
const stopping = /** @type {HTMLButtonElement} */ (element("stop"));

/** Away for so long, nothing is known of the connection. */
const AWAY_MS = 5000;

/** Whoever holds the phone wants to send. */
let wanted = false;
/** @type {Publisher | undefined} */
let publisher;
/** @type {Map<string, MediaStreamTrack>} */
const tracks = new Map();
/** What the phone has put to sleep, and why it could not be woken, where that was tried. @type {Map<string, string>} */
const asleep = new Map();
const keepAwake = awake(() => wanted);

/** What the sender says, or what became of the wish to send. */
let shown = { kind: "", text: "Not sending." };

/** @param {string} kind @param {string} text */
function say(kind, text) {
  shown = { kind, text };
  show();
}

/** The state and the buttons tell what is, whatever was tapped: nobody sees what a sleeping camera sends. */
function show() {
  const sleeps = wanted && asleep.size > 0;
  const [kind, text] = sleeps ? ["asleep", sleepText()] : [shown.kind, shown.text];
  state.dataset.state = kind;
  state.textContent = text;
  send.textContent = sleeps ? "Go on" : wanted ? "Stop sending" : "Start sending";
  stopping.hidden = !sleeps;
  quality.disabled = wanted;
}

function sleepText() {
  const what = [...asleep.keys()].map((kind) => (kind === "video" ? "camera" : "microphone")).join(" and the ");
  const why = [...asleep.values()].find((text) => text !== "") ?? "";
  return `The ${what} fell asleep: tap to go on. ${why}`.trim();
}

/** All that could be sent sleeps. */
const allAsleep = () => tracks.size > 0 && [...tracks.keys()].every((kind) => asleep.has(kind));

/** Nothing is sent until something wakes: the origin would end one silent session after the other. */
let rests = false;
/** @type {ReturnType<typeof setTimeout> | undefined} */
let resting;

function rest() {
  const old = publisher;
  publisher = undefined;
  void old?.stop();
  rests = true;
  // Seen once something is awake.
  say("busy", "Connecting…");
}

/** Ends the feed where all sleeps and does not wake soon, and begins it again where something woke. */
function tend() {
  clearTimeout(resting);
  if (!wanted) return;
  if (!allAsleep()) {
    if (rests && !waking) publish();
  } else if (publisher) {
    resting = setTimeout(rest, AWAY_MS);
  }
}

/** @param {MediaStreamTrack | undefined} track @param {string} kind */
function put(track, kind) {
  tracks.get(kind)?.stop();
  asleep.delete(kind);
  if (!track) {
    tracks.delete(kind);
    void publisher?.remove(kind);
    show();
    tend();
    return;
  }
  tracks.set(kind, track);
  /** @param {string} event @param {() => void} then */
  const when = (event, then) => track.addEventListener(event, () => tracks.get(kind) === track && then());
  // Phones take the camera away while their screen is locked, in a call, or for another program.
  when("ended", () => {
    slept(kind);
    // One that is taken away at once, again and again, waits for a tap.
    if (waking || Date.now() - woken >= AWAY_MS) void wakeUp();
  });
  when("mute", () => slept(kind));
  when("unmute", () => {
    asleep.delete(kind);
    show();
    tend();
  });
  if (track.muted) asleep.set(kind, "");
  if (kind === "video") preview.srcObject = new MediaStream([track]);
  void publisher?.replace(track);
  show();
  tend();
}

/** @param {string} kind */
function slept(kind) {
  asleep.set(kind, "");
  show();
  tend();
}

/** @type {Promise<void> | undefined} */
let waking;
/** When it was last tried. */
let woken = 0;

/** Opens again what the phone has put to sleep. Some phones want a tap for it, or that the page is seen. */
function wakeUp() {
  waking ??= (async () => {
    woken = Date.now();
    const tried = new Set();
    for (;;) {
      const kind = [...asleep.keys()].find((one) => !tried.has(one));
      if (kind === undefined) break;
      tried.add(kind);
      try {
        // A phone has one camera open at a time.
        tracks.get(kind)?.stop();
        const open = kind === "video" ? openCamera(camera.value, Number(quality.value)) : openMicrophone(microphone.value);
        const track = await open;
        if (wanted) put(track, kind);
        else track?.stop();
      } catch (error) {
        if (asleep.has(kind)) asleep.set(kind, trouble(error));
      }
    }
    show();
  })().finally(() => {
    waking = undefined;
    tend();
  });
  return waking;
}

async function listDevices() {
  await list(camera, "videoinput", [["", "The one at the back, or any"]]);
  await list(microphone, "audioinput", [["", "Any"], ["none", "None"]]);
}

async function open() {
  // A phone has one camera open at a time.
  tracks.get("video")?.stop();
  put(await openCamera(camera.value, Number(quality.value)), "video");
  await listDevices();
}

async function start() {
  send.disabled = true;
  try {
    if (!navigator.mediaDevices) {
      say("wrong", "Browsers give the camera to pages over https only: the origin needs whip.certificate, or a proxy with one.");
      return;
    }
    await open();
    put(await openMicrophone(microphone.value), "audio");
    await listDevices();
  } catch (error) {
    close();
    say("wrong", trouble(error));
    return;
  } finally {
    send.disabled = false;
  }
  wanted = true;
  publish();
  tend();
  void keepAwake();
}

function publish() {
  const bitrate = BITRATES[/** @type {keyof typeof BITRATES} */ (Number(quality.value))] ?? 3_000_000;
  const settings = { endpoint: new URL("/whip", location.href).href, key: key.value.trim(), bitrate };
  const sender = new Publisher([...tracks.values()], settings, (kind, text) => {
    if (publisher !== sender) return;
    // It has given up: so nobody waits for a picture that does not come.
    if (kind === "wrong") {
      publisher = undefined;
      close();
    }
    say(kind, text);
  });
  publisher = sender;
  rests = false;
  sender.start();
}

/** Nothing is sent, and no camera is open. */
function close() {
  wanted = rests = false;
  clearTimeout(resting);
  tracks.forEach((track) => track.stop());
  tracks.clear();
  asleep.clear();
  preview.srcObject = null;
  void keepAwake();
}

async function stop() {
  const old = publisher;
  publisher = undefined;
  close();
  say("busy", "Stopping…");
  await old?.stop();
  if (!wanted) say("", "Not sending.");
}

/** When the page was frozen or hidden, if it is. @type {number | undefined} */
let away;

/** The page is there again: maybe since the phone was locked, and everything may be gone. */
function back() {
  const long = away !== undefined && Date.now() - away >= AWAY_MS;
  away = undefined;
  if (!wanted) return;
  for (const [kind, track] of tracks) if (track.readyState === "ended" && !asleep.has(kind)) asleep.set(kind, "");
  void wakeUp();
  void keepAwake();
  if (publisher) {
    if (long) publisher.wake();
  } else if (allAsleep()) {
    rest();
  } else {
    publish();
  }
}

/** What stands behind `key=`; a + is one. @param {string} hash */
function keyOf(hash) {
  const part = hash.slice(1).split("&").find((one) => one.startsWith("key="));
  try {
    return decodeURIComponent(part?.slice(4) ?? "");
  } catch {
    return "";
  }
}

element("channel").textContent = channel;
document.title = `Camera of ${channel} · Railbird`;
// The key leaves the address bar, where others could read it, and stays in this tab.
const told = keyOf(location.hash);
if (told) {
  sessionStorage.setItem(channel, told);
  history.replaceState(null, "", location.pathname);
}
const kept = sessionStorage.getItem(channel);
if (kept) {
  key.value = kept;
  element("key-row").hidden = true;
}
element("settings").addEventListener("submit", (event) => {
  event.preventDefault();
  if (state.dataset.state === "asleep") void wakeUp();
  else void (wanted ? stop() : start());
});
stopping.addEventListener("click", () => void stop());
camera.addEventListener("change", () => {
  if (!wanted) return;
  open().catch((error) => {
    // The one before is closed by then, and no picture is sent: as if it slept.
    if (!wanted || tracks.get("video")?.readyState !== "ended") return;
    asleep.set("video", trouble(error));
    show();
    tend();
  });
});
microphone.addEventListener("change", () => {
  if (!wanted) return;
  openMicrophone(microphone.value).then((track) => put(track, "audio")).catch((error) => say("wrong", trouble(error)));
});
// A page that is left ends its feed in order; one that comes back goes on by itself.
addEventListener("pagehide", () => {
  const old = publisher;
  publisher = undefined;
  rests = false;
  clearTimeout(resting);
  void old?.stop();
  if (wanted) say("busy", "The page was left.");
});
addEventListener("pageshow", (event) => event.persisted && back());
document.addEventListener("freeze", () => (away = 0));
document.addEventListener("resume", back);
document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "visible") back();
  else away ??= Date.now();
});
if (navigator.mediaDevices) void listDevices().catch(() => {});
// For tests, and for whoever looks into it.
Object.defineProperty(globalThis, "railbird", { get: () => ({ publisher, tracks }) });
