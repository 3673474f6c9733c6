// The edge's API, as the pages ask it. Everything that comes back is checked here.

import { CHOICE_HEADER } from "./changes";
import type { Socket } from "./edgeline";
import { NODES_MAX, type Node } from "./nodes";
import { parseReplay, REPLAYS_MAX, type Replay } from "./replays";
import { parseScore, type ScoreDocument } from "./score";
import type { News } from "./scorefeed";
import { MATCHES_MAX } from "./scores";
import { parseScreens, type Claim } from "./screens";

/** How long the edge may take to answer, in milliseconds. */
const ANSWER_MS_MAX = 8_000;
/** The most channels taken of one answer. */
const CHANNELS_MAX = 256;

export type Phase = "waiting" | "live" | "ended";

export interface Channel {
  id: string;
  title: string;
  phase: Phase;
  nodes: Node[];
  /** Its recordings, the newest first. */
  replays: Replay[];
}

export interface Programme {
  title: string;
  channels: Channel[];
}

/** Why the edge gave no answer of use. */
export class ApiError extends Error {
  constructor(
    /** HTTP status; 0 where the edge wasn't reached. */
    readonly status: number,
    /** The edge's error code; empty where it gave none. */
    readonly code: string,
    message: string,
    /** What `retry-after` says, in seconds. */
    readonly retry_after_s: number | null,
    /** What else the answer says. */
    readonly body: Json = {},
  ) {
    super(message);
  }
}

/** A `retry-after` is followed within these bounds, in seconds. */
const RETRY_AFTER_S_MIN = 1;
const RETRY_AFTER_S_MAX = 30;

/** A delay within the bounds that a `retry-after` is followed in. */
export const retryAfterMs = (retry_after_s: number | null, otherwise_ms: number): number =>
  retry_after_s === null ? otherwise_ms : Math.min(Math.max(retry_after_s, RETRY_AFTER_S_MIN), RETRY_AFTER_S_MAX) * 1000;

export type Json = Record<string, unknown>;
const isJson = (value: unknown): value is Json => typeof value === "object" && value !== null;
const text = (value: unknown): string => (typeof value === "string" ? value.slice(0, 200) : "");
const list = (value: unknown, max: number): Json[] => (Array.isArray(value) ? value.slice(0, max).filter(isJson) : []);

async function ask(path: string, init: RequestInit = {}): Promise<Response> {
  let response: Response;
  try {
    const signal = AbortSignal.timeout(ANSWER_MS_MAX);
    response = await fetch(path, { ...init, signal, cache: "no-store", credentials: "same-origin" });
  } catch {
    throw new ApiError(0, "", "the edge can't be reached", null);
  }
  if (response.ok) return response;
  const body: unknown = await response.json().catch(() => null);
  const error = isJson(body) && isJson(body["error"]) ? body["error"] : {};
  const retry = Number(response.headers.get("retry-after") ?? Number.NaN);
  throw new ApiError(
    response.status,
    text(error["code"]),
    text(error["message"]),
    Number.isFinite(retry) && retry >= 0 ? retry : null,
    isJson(body) ? body : {},
  );
}

async function json(path: string): Promise<unknown> {
  const response = await ask(path);
  try {
    return await response.json();
  } catch {
    throw new ApiError(0, "", "the edge's answer broke off", null);
  }
}

const post = (body: string): RequestInit => ({ method: "POST", headers: { "content-type": "application/json" }, body });

/** By what a pass holder gets in. */
export type Credentials = { email: string; password: string } | { code: string };

/** Begins a session: the edge sets its cookie. Gives when the session expires, in seconds since 1970, if the edge says so. */
export async function login(credentials: Credentials): Promise<number | null> {
  const response = await ask("/api/login", post(JSON.stringify(credentials)));
  const body: unknown = await response.json().catch(() => null);
  const expires = isJson(body) ? body["expires"] : null;
  return typeof expires === "number" ? expires : null;
}

/** Makes the session last as long again: the edge sets its cookie anew. */
export async function renew(): Promise<void> {
  await ask("/api/session/renew", post("{}"));
}

/** Asks for a link to another password. */
export async function forgot(email: string): Promise<void> {
  await ask("/api/password/forgot", post(JSON.stringify({ email })));
}

/** Sets another password by the token of such a link. */
export async function reset(token: string, password: string): Promise<void> {
  await ask("/api/password/reset", post(JSON.stringify({ token, password })));
}

/** Ends the session. */
export async function logout(): Promise<void> {
  await ask("/api/logout", post("{}"));
}

const node = (value: Json): Node => ({
  id: text(value["id"]),
  url: typeof value["url"] === "string" ? value["url"] : "",
  up: value["up"] !== false,
});

/** The event and the channels that the pass covers; `free` of what tells a result. */
export async function programme(free = false): Promise<Programme> {
  const body = await json(free ? "/api/channels?spoilers=no" : "/api/channels");
  const answer = isJson(body) ? body : {};
  const event = isJson(answer["event"]) ? answer["event"] : {};
  return {
    title: text(event["title"]),
    channels: list(answer["channels"], CHANNELS_MAX).map((channel) => {
      const phase = channel["phase"];
      return {
        id: text(channel["id"]),
        title: text(channel["title"]) || text(channel["id"]),
        phase: phase === "live" || phase === "ended" ? phase : "waiting",
        nodes: list(channel["nodes"], NODES_MAX).map(node),
        replays: list(channel["replays"], REPLAYS_MAX)
          .map(parseReplay)
          .filter((replay) => replay !== null),
      };
    }),
  };
}

/** The address of a channel's playlist, or of one of its recordings'. */
export const playlistPath = (channel: string, replay: string | null): string =>
  replay === null
    ? `/live/${encodeURIComponent(channel)}/main.m3u8`
    : `/replay/${encodeURIComponent(channel)}/${encodeURIComponent(replay)}/main.m3u8`;

/** Asks whether a playlist is there, so that its refusal can be told apart before hls.js is started. */
export async function playable(path: string): Promise<void> {
  const response = await ask(path);
  await response.body?.cancel();
}

/** A multivariant playlist as it is at the moment, with the edge's word for what it gives to choose from (changes.ts), if it says one. */
export async function multivariant(path: string): Promise<{ text: string; choice: string | null }> {
  const response = await ask(path);
  try {
    return { text: await response.text(), choice: response.headers.get(CHOICE_HEADER) };
  } catch {
    throw new ApiError(0, "", "the edge's answer broke off", null);
  }
}

/** The bytes of a content key, at the address that a playlist names. */
export const keyBytes = async (url: string): Promise<ArrayBuffer> => (await ask(url)).arrayBuffer();

/** A channel's nodes as the edge has them at this moment. */
export interface Nodes {
  nodes: Node[];
  /** How long that is good for, in milliseconds, if the edge says so. */
  ttl_ms: number | null;
  /** Whether the edge's host holds lines, on which it tells. */
  line: boolean;
}

const nodesPath = (channel: string): string => `/live/${encodeURIComponent(channel)}/nodes.json`;

function parseNodes(body: unknown): Nodes {
  const answer = isJson(body) ? body : {};
  const ttl_ms = answer["ttl_ms"];
  const told = list(answer["nodes"], NODES_MAX).map(node);
  return { nodes: told, ttl_ms: typeof ttl_ms === "number" ? ttl_ms : null, line: answer["line"] === true };
}

/** What the edge tells on a line; `null` for what is no list of nodes. */
export function readNodes(text: string): Nodes | null {
  try {
    return parseNodes(JSON.parse(text));
  } catch {
    return null;
  }
}

/** A line on which the edge tells of a channel's nodes, where its host has such. */
export function openLine(channel: string): Socket {
  const url = new URL(nodesPath(channel), location.href);
  url.protocol = url.protocol.replace("http", "ws");
  const socket: Socket = { onmessage: null, onclose: null };
  const line = new WebSocket(url);
  line.onmessage = (event: MessageEvent<unknown>) => socket.onmessage?.(event);
  line.onclose = (event) => socket.onclose?.(event);
  return socket;
}

/** A channel's nodes; `null` from an edge that does not tell them so. */
export async function nodes(channel: string): Promise<Nodes | null> {
  try {
    return parseNodes(await json(nodesPath(channel)));
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return null;
    throw error;
  }
}

/**
 * Claims a screen of the pass, or renews the claim; with `again`, also where another device has stopped it. Throws only where
 * there is no session.
 */
export async function claimScreen(screen: string, name: string, again: boolean): Promise<Claim> {
  try {
    const response = await ask("/api/screens", post(JSON.stringify(again ? { screen, name, again } : { screen, name })));
    const body: unknown = await response.json().catch(() => null);
    const renew_s = isJson(body) ? body["renew_s"] : null;
    return { kind: "granted", renew_s: typeof renew_s === "number" ? renew_s : null };
  } catch (error) {
    if (!(error instanceof ApiError) || error.status === 401) throw error;
    if (error.status === 409 && error.code === "screen-stopped") return { kind: "stopped" };
    if (error.status === 409) return { kind: "full", screens: parseScreens(error.body["screens"]) };
    return { kind: error.status === 404 ? "none" : "unknown" };
  }
}

/** Stops another screen of the pass. */
export async function stopScreen(screen: string): Promise<void> {
  await ask("/api/screens/stop", post(JSON.stringify({ screen })));
}

/** Gives a screen back, as a page's last word. */
export function releaseScreen(screen: string): void {
  navigator.sendBeacon("/api/screens/release", new Blob([JSON.stringify({ screen })], { type: "application/json" }));
}

/** The documents of a recording's matches, as far as they were known at `until_ms`; none from an edge that has none. */
export async function recordedScore(channel: string, recording: string, until_ms: number | null): Promise<ScoreDocument[]> {
  const query = until_ms === null ? "" : `?until=${until_ms}`;
  try {
    const body = await json(`/replay/${encodeURIComponent(channel)}/${encodeURIComponent(recording)}/score.json${query}`);
    return list(isJson(body) ? body["matches"] : null, MATCHES_MAX)
      .map(parseScore)
      .filter((document) => document !== null);
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return [];
    throw error;
  }
}

/** News of the score from behind `after` on; `null` where the browser hears none. */
export function openNews(channel: string, after: number | null): News | null {
  if (typeof EventSource !== "function") return null;
  const query = after === null ? "" : `?after=${after}`;
  const source = new EventSource(`/live/${encodeURIComponent(channel)}/score.events${query}`);
  const news: News = { onmessage: null, onerror: null, closed: () => source.readyState === EventSource.CLOSED, close: () => source.close() };
  source.onmessage = (event: MessageEvent<unknown>) => news.onmessage?.(event);
  source.onerror = () => news.onerror?.();
  return news;
}

/** The score after `after`; `null` where there is none yet. */
export async function score(channel: string, after: number | null): Promise<ScoreDocument | null> {
  const query = after === null ? "" : `?after=${after}`;
  try {
    return parseScore(await json(`/live/${encodeURIComponent(channel)}/score.json${query}`));
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return null;
    throw error;
  }
}
