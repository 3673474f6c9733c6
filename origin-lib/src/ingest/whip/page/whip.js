// @ts-check
// A WHIP client (RFC 9725): publishes two tracks, and keeps doing so. What it tells is an object of a state and a sentence:
// "busy" while it connects, "live" while media flows, "wrong" where it has given up and somebody has to do something.

/** How long ICE may be away before it is restarted, how long a session may take to come back, and how often one is tried. */
const AWAY_MS = 3000;
const BACK_MS = 8000;
const PAUSES_MS = [1000, 2000, 4000, 8000];

/** Connected for so long, what comes after it is not one more try. */
const STEADY_MS = 60_000;

/** A pause is up to so much of itself shorter: many who lost one origin do not come back in one moment. */
const JITTER = 0.25;

/** What the origin said instead of doing what it was asked for. */
class Answered extends Error {
  /** @param {string} text @param {number} [status] */
  constructor(text, status = 0) {
    super(text);
    this.status = status;
  }
}

/** A refusal that trying again does not mend. */
export class Refused extends Answered {}

export class Publisher {
  #tracks;
  #settings;
  #tell;
  /** @type {RTCPeerConnection | undefined} */
  #connection;
  /** @type {string | undefined} */
  #session;
  #stopped = false;
  #round = 0;
  #tries = 0;
  /** An offer is on its way. */
  #asking = false;
  /** It is tried again once the timer is over. */
  #pausing = false;
  /** The round whose ICE is being restarted, and whether that is wanted once more afterwards. */
  #restarting = 0;
  #onceMore = false;
  /** How often ICE was restarted. */
  restarts = 0;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #steady;

  /**
   * @param {MediaStreamTrack[]} tracks
   * @param {{endpoint: string, key: string, bitrate: number}} settings
   * @param {(state: "busy" | "live" | "wrong", text: string) => void} tell
   */
  constructor(tracks, settings, tell) {
    this.#tracks = tracks;
    this.#settings = settings;
    this.#tell = tell;
    this.online = () => this.wake();
    addEventListener("online", this.online);
    // Where a browser tells it: from Wi-Fi to a mobile network, without having been offline.
    const { connection } = /** @type {{connection?: EventTarget & {type?: string}}} */ (navigator);
    this.network = connection;
    this.networkType = connection?.type;
    this.moved = () => this.#moved();
    connection?.addEventListener("change", this.moved);
  }

  /** Sends until it is stopped. */
  start() {
    void this.#begin();
  }

  /** Another camera or microphone, without a new session where there was one already. @param {MediaStreamTrack} track */
  async replace(track) {
    this.#tracks = this.#tracks.filter((old) => old.kind !== track.kind).concat(track);
    if (!this.#connection) return;
    const sender = this.#sender(track.kind);
    if (sender) await sender.replaceTrack(track);
    else await this.#begin();
  }

  /** No camera or microphone any more. @param {string} kind */
  async remove(kind) {
    this.#tracks = this.#tracks.filter((old) => old.kind !== kind);
    await this.#sender(kind)?.replaceTrack(null);
  }

  /** @param {string} kind */
  #sender(kind) {
    return this.#connection?.getTransceivers().find((one) => one.receiver.track.kind === kind)?.sender;
  }

  /** The network changed, or the phone slept: whatever was known of the connection may be over. */
  wake() {
    if (this.#stopped) return;
    if (this.#session) this.#away(0);
    else if (!this.#asking) void this.#begin();
  }

  /** The network is told anew, which may be no more than how fast it is thought to be: what works, or waits for its turn, is left alone. */
  #moved() {
    const before = this.networkType;
    this.networkType = this.network?.type;
    const isLost = ["disconnected", "failed"].includes(this.#connection?.connectionState ?? "");
    const isTended = this.#pausing || this.#restarting === this.#round;
    if (this.networkType !== before || (isLost && !isTended)) this.wake();
  }

  /** Ends the feed in order. */
  async stop() {
    this.#stopped = true;
    removeEventListener("online", this.online);
    this.network?.removeEventListener("change", this.moved);
    const session = this.#session;
    this.#drop();
    if (session) await this.#ask(session, { method: "DELETE", keepalive: true }).catch(() => {});
  }

  /** The connection, for tests and figures. */
  get connection() {
    return this.#connection;
  }

  /** The session's address, for tests. */
  get session() {
    return this.#session;
  }

  async #begin() {
    if (this.#stopped) return;
    const round = ++this.#round;
    this.#drop();
    this.#tell("busy", "Connecting…");
    this.#asking = true;
    try {
      await this.#offer(round);
    } catch (error) {
      if (this.#stopped || round !== this.#round) return;
      if (error instanceof Refused) {
        this.#giveUp(error.message);
        return;
      }
      this.#again(`The origin can't be reached: ${error instanceof Error ? error.message : error}.`);
    } finally {
      if (round === this.#round) this.#asking = false;
    }
  }

  /** @param {number} round */
  async #offer(round) {
    const connection = new RTCPeerConnection({ bundlePolicy: "max-bundle" });
    this.#connection = connection;
    connection.addEventListener("connectionstatechange", () => {
      if (this.#connection === connection) this.#changed(connection);
    });
    const stream = new MediaStream(this.#tracks);
    for (const track of this.#tracks) {
      const transceiver = connection.addTransceiver(track, { direction: "sendonly", streams: [stream] });
      if (track.kind === "video") await this.#prepare(transceiver);
    }
    await connection.setLocalDescription();
    const response = await this.#ask(this.#settings.endpoint, {
      method: "POST",
      headers: { "Content-Type": "application/sdp" },
      body: connection.localDescription?.sdp ?? "",
    });
    const location = response.headers.get("Location");
    if (!location) throw new Refused("The origin told no session: is this the right address?");
    const session = new URL(location, response.url).href;
    if (this.#stopped || round !== this.#round) {
      // Nobody waits for it any more.
      await this.#ask(session, { method: "DELETE", keepalive: true }).catch(() => {});
      return;
    }
    this.#session = session;
    const answer = await response.text();
    if (this.#stopped || round !== this.#round) return;
    await connection.setRemoteDescription({ type: "answer", sdp: answer });
    this.#wait(BACK_MS, () => this.#again("No media gets through. Is UDP let through to the origin?"));
  }

  /** H.264 first, which every viewer plays; what it costs is bounded. @param {RTCRtpTransceiver} transceiver */
  async #prepare(transceiver) {
    const known = RTCRtpSender.getCapabilities("video")?.codecs ?? [];
    // What is sent again comes as a stream of its own (rtx).
    const order = ["video/H264", "video/AV1", "video/rtx"];
    const wanted = known.filter(({ mimeType }) => order.includes(mimeType));
    wanted.sort((a, b) => order.indexOf(a.mimeType) - order.indexOf(b.mimeType));
    if (wanted.some(({ mimeType }) => mimeType !== "video/rtx")) transceiver.setCodecPreferences(wanted);
    const parameters = transceiver.sender.getParameters();
    for (const encoding of parameters.encodings) encoding.maxBitrate = this.#settings.bitrate;
    await transceiver.sender.setParameters(parameters);
  }

  /** @param {RTCPeerConnection} connection */
  #changed(connection) {
    clearTimeout(this.#steady);
    switch (connection.connectionState) {
      case "connected":
        this.#calm();
        this.#steady = setTimeout(() => (this.#tries = 0), STEADY_MS);
        this.#tell("live", "Sending.");
        break;
      case "disconnected":
        this.#tell("busy", "The connection is weak…");
        this.#away(AWAY_MS);
        break;
      case "failed":
        this.#away(0);
        break;
      case "closed":
        break;
    }
  }

  /** After so long without a connection: from where we are now, by the session that is there. @param {number} after */
  #away(after) {
    if (this.#stopped || !this.#session) return;
    this.#wait(after, () => void this.#restart());
  }

  /** One at a time: the answer to one offer fits no other. What is asked for meanwhile comes afterwards. */
  async #restart() {
    const [connection, session, round] = [this.#connection, this.#session, this.#round];
    if (!connection || !session || this.#stopped) return;
    if (this.#restarting === round) {
      this.#onceMore = true;
      return;
    }
    [this.#restarting, this.#onceMore, this.#pausing] = [round, false, false];
    const isOver = () => this.#stopped || round !== this.#round;
    this.#tell("busy", "Reconnecting…");
    try {
      connection.restartIce();
      await connection.setLocalDescription();
      if (isOver()) return;
      const sdp = connection.localDescription?.sdp ?? "";
      const response = await this.#ask(session, {
        method: "PATCH",
        headers: { "Content-Type": "application/trickle-ice-sdpfrag", "If-Match": "*" },
        body: fragmentOf(sdp),
      });
      const fragment = await response.text();
      if (isOver()) return;
      const before = connection.currentRemoteDescription?.sdp ?? "";
      await connection.setRemoteDescription({ type: "answer", sdp: withFragment(before, fragment) });
      if (isOver()) return;
    } catch (error) {
      if (!isOver()) this.#failed(error);
      return;
    } finally {
      if (this.#restarting === round) this.#restarting = 0;
    }
    this.restarts += 1;
    if (this.#onceMore) {
      void this.#restart();
      return;
    }
    // Where the old way still carries, nothing changes that would be told.
    if (this.#isConnected()) this.#tell("live", "Sending.");
    this.#wait(BACK_MS, () => {
      if (!this.#isConnected()) void this.#begin();
    });
  }

  /** ICE could not be restarted. @param {unknown} error */
  #failed(error) {
    // Another device has the feed: two that took it from each other would help nobody.
    if (error instanceof Refused && [401, 409].includes(error.status)) {
      this.#giveUp(error.message);
      return;
    }
    const isGone = error instanceof Answered && error.status === 404;
    // Whatever our side believes: the origin has no such session any more.
    if (isGone) this.#drop();
    this.#again(isGone ? "The session is gone." : "The origin can't be reached.");
  }

  #isConnected() {
    return this.#connection?.connectionState === "connected";
  }

  /** @param {string} why */
  #again(why) {
    if (this.#stopped) return;
    this.#tries += 1;
    const most = PAUSES_MS[Math.min(this.#tries, PAUSES_MS.length) - 1] ?? 1000;
    const pause = most * (1 - JITTER * Math.random());
    this.#tell("busy", `${why} Trying again…`);
    // What still carries media is not given up.
    this.#wait(pause, () => void (this.#isConnected() ? this.#restart() : this.#begin()));
    this.#pausing = true;
  }

  /** Trying again would not help. @param {string} why */
  #giveUp(why) {
    void this.stop();
    this.#tell("wrong", why);
  }

  /** @param {number} ms @param {() => void} then */
  #wait(ms, then) {
    this.#calm();
    this.#timer = setTimeout(then, ms);
  }

  /** Nothing is waited for. */
  #calm() {
    clearTimeout(this.#timer);
    this.#pausing = false;
  }

  #drop() {
    this.#calm();
    clearTimeout(this.#steady);
    this.#connection?.close();
    this.#connection = undefined;
    this.#session = undefined;
  }

  /** @param {string} url @param {RequestInit} init */
  async #ask(url, init) {
    const headers = new Headers(init.headers);
    headers.set("Authorization", `Bearer ${this.#settings.key}`);
    const response = await fetch(url, { ...init, headers, signal: AbortSignal.timeout(BACK_MS) });
    if (response.ok) return response;
    const text = (await response.text()).trim().slice(0, 300);
    const mends = response.status >= 500 || response.status === 408 || response.status === 404;
    throw mends ? new Answered(text || `status ${response.status}`, response.status) : new Refused(`Refused: ${text}`, response.status);
  }
}

/** What a restart tells of our description: credentials. @param {string} sdp */
export function fragmentOf(sdp) {
  const lines = sdp.split(/\r?\n/);
  const first = (/** @type {string} */ name) => lines.find((line) => line.startsWith(name));
  const told = ["a=ice-ufrag:", "a=ice-pwd:", "m=", "a=mid:"].map(first).filter((line) => line !== undefined);
  return told.map((line) => `${line}\r\n`).join("");
}

/** The other side's description with the credentials and candidates of a fragment. @param {string} sdp @param {string} fragment */
export function withFragment(sdp, fragment) {
  const told = fragment.split(/\r?\n/);
  const value = (/** @type {string} */ name) => told.find((line) => line.startsWith(name)) ?? "";
  const candidates = told.filter((line) => line.startsWith("a=candidate:")).map((line) => `${line}\r\n`).join("");
  return sdp
    .replace(/a=(candidate:.*|end-of-candidates)\r\n/g, "")
    .replace(/a=ice-ufrag:.*\r\n/g, `${value("a=ice-ufrag:")}\r\n`)
    .replace(/a=ice-pwd:.*\r\n/g, `${value("a=ice-pwd:")}\r\n${candidates}`);
}
