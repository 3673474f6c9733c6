// @ts-check
// Cameras and microphones, and a screen that stays on.

/** What the browser says is wrong, in words for whoever holds the phone. @param {unknown} error */
export function trouble(error) {
  const name = error instanceof Error ? error.name : "";
  switch (name) {
    case "NotAllowedError":
      return "The camera or the microphone is not allowed: allow both for this page in the browser's settings.";
    case "NotFoundError":
    case "OverconstrainedError":
      return "There is no such camera or microphone: choose another.";
    case "NotReadableError":
      return "The camera or the microphone is in use by another program: close it.";
    default:
      return `The camera can't be opened: ${error instanceof Error ? error.message : error}`;
  }
}

/**
 * @param {string} camera a device's id; empty for the one that looks away from its holder
 * @param {number} lines
 */
export async function openCamera(camera, lines) {
  const device = camera ? { deviceId: { exact: camera } } : { facingMode: { ideal: "environment" } };
  const size = { width: { ideal: Math.round((lines * 16) / 9) }, height: { ideal: lines }, frameRate: { ideal: 30 } };
  const stream = await navigator.mediaDevices.getUserMedia({ video: { ...device, ...size } });
  const [track] = stream.getVideoTracks();
  if (!track) throw new DOMException("no camera", "NotFoundError");
  // The table is what matters, not that it is smooth at any price.
  track.contentHint = "detail";
  return track;
}

/** The room as it sounds, not a call. @param {string} microphone a device's id; empty for any; "none" for no sound */
export async function openMicrophone(microphone) {
  if (microphone === "none") return undefined;
  const device = microphone ? { deviceId: { exact: microphone } } : {};
  const audio = {
    ...device,
    echoCancellation: false,
    noiseSuppression: false,
    autoGainControl: false,
    channelCount: { ideal: 2 },
  };
  const stream = await navigator.mediaDevices.getUserMedia({ audio });
  return stream.getAudioTracks()[0];
}

/**
 * Fills a choice of devices of one kind, and keeps what is chosen.
 * @param {HTMLSelectElement} select
 * @param {"videoinput" | "audioinput"} kind
 * @param {[string, string][]} first entries before the devices: value and text
 */
export async function list(select, kind, first) {
  const chosen = select.value;
  const devices = (await navigator.mediaDevices.enumerateDevices()).filter((one) => one.kind === kind && one.deviceId);
  const named = devices.map((one, n) => [one.deviceId, one.label || `${select.labels?.[0]?.textContent?.trim() ?? ""} ${n + 1}`]);
  const options = [...first, ...named].map(([value, text]) => new Option(text, value));
  select.replaceChildren(...options);
  if (options.some((option) => option.value === chosen)) select.value = chosen;
}

/** Keeps the screen on while `wanted` says so, also after the page was away. @param {() => boolean} wanted */
export function awake(wanted) {
  /** @type {WakeLockSentinel | undefined} */
  let lock;
  const see = async () => {
    if (!wanted()) {
      await lock?.release();
      lock = undefined;
    } else if (document.visibilityState === "visible" && (!lock || lock.released)) {
      // A phone that saves power says no: it is no reason not to send.
      lock = await navigator.wakeLock?.request("screen").catch(() => undefined);
    }
  };
  document.addEventListener("visibilitychange", () => void see());
  return see;
}
