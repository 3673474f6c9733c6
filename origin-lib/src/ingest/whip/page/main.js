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

/** @type {Publisher | undefined} */
let publisher;
/** @type {Map<string, MediaStreamTrack>} */
const tracks = new Map();
const keepAwake = awake(() => publisher !== undefined);

/** @param {string} kind @param {string} text */
function say(kind, text) {
  state.dataset.state = kind;
  state.textContent = text;
}

/** @param {MediaStreamTrack | undefined} track @param {string} kind */
function put(track, kind) {
  tracks.get(kind)?.stop();
  if (!track) {
    tracks.delete(kind);
    return;
  }
  tracks.set(kind, track);
  track.addEventListener("ended", () => {
    say("wrong", "The camera or the microphone is gone: choose another.");
  });
  if (kind === "video") preview.srcObject = new MediaStream([track]);
  void publisher?.replace(track);
}

async function listDevices() {
  await list(camera, "videoinput", [["", "The one at the back, or any"]]);
  await list(microphone, "audioinput", [["", "Any"], ["none", "None"]]);
}

async function open() {
  const lines = Number(quality.value);
  // A phone has one camera open at a time.
  tracks.get("video")?.stop();
  put(await openCamera(camera.value, lines), "video");
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
    say("wrong", trouble(error));
    return;
  } finally {
    send.disabled = false;
  }
  const bitrate = BITRATES[/** @type {keyof typeof BITRATES} */ (Number(quality.value))] ?? 3_000_000;
  const settings = { endpoint: new URL("/whip", location.href).href, key: key.value.trim(), bitrate };
  publisher = new Publisher([...tracks.values()], settings, say);
  publisher.start();
  quality.disabled = true;
  send.textContent = "Stop sending";
  void keepAwake();
}

async function stop() {
  const old = publisher;
  publisher = undefined;
  send.textContent = "Start sending";
  quality.disabled = false;
  await old?.stop();
  tracks.forEach((track) => track.stop());
  tracks.clear();
  preview.srcObject = null;
  say("", "Not sending.");
  void keepAwake();
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
  void (publisher ? stop() : start());
});
camera.addEventListener("change", () => {
  if (publisher) open().catch((error) => say("wrong", trouble(error)));
});
microphone.addEventListener("change", () => {
  if (!publisher) return;
  openMicrophone(microphone.value).then((track) => put(track, "audio")).catch((error) => say("wrong", trouble(error)));
});
addEventListener("pagehide", () => void publisher?.stop());
if (navigator.mediaDevices) void listDevices().catch(() => {});
// For tests, and for whoever looks into it.
Object.defineProperty(globalThis, "railbird", { get: () => ({ publisher }) });
