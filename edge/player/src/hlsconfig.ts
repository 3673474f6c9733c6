// How hls.js is set up: how patient it is, how much it keeps, and what of it is left out.

import type { HlsConfig, LoaderConfig, LoaderResponse, RetryConfig } from "hls.js";
import { RACE_MS_MAX } from "./race";

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
export const CONFIG: Partial<HlsConfig> = {
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
