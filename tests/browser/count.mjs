// What one viewer costs: `node count.mjs READY.json SECONDS`.
//
// Watches the first channel for so many seconds of media, counts what the page asks for, by kind, and prints that for an hour,
// with dollars for 1,000 viewer-hours at list prices: of the edge on Cloudflare, and of the media at three kinds of nodes. A
// figure, for `benches/README.md`; not a test.
import { PATIENCE_MS, given, logIn, openFirstChannel, ready, told } from "./viewer.mjs";

/** List prices in dollars, November 2026: a million of each, or a gigabyte. */
const WORKERS_REQUESTS = 0.3;
const WORKERS_CPU_MS = 0.02;
const OBJECT_REQUESTS = 0.15;
const R2_READS = 0.36;
const BUNNY_GB = 0.01;
const CLOUDFRONT_GB = 0.085;
/** Milliseconds of CPU that a request of the edge takes under workerd (`cargo xtask bench worker`), rounded up. */
const CPU_MS = 0.5;
/** Megabits a second of the picture for which dollars are told; what was counted may be smaller. */
const MBPS = 4;

const KINDS = [
  ["playlist", /\.m3u8$/],
  ["key", /^\/key\//],
  ["steering", /^\/steer\//],
  ["nodes", /\/nodes\.json$/],
  ["beacon", /\/beacons$/],
  ["score", /\/score\.json$/],
  ["screen", /^\/api\/screens/],
  ["channels", /^\/api\/channels$/],
];

/** What a request of the edge is about; static files cost nothing at Cloudflare. */
function kind(url, edge) {
  const { origin, pathname } = new URL(url);
  if (origin !== new URL(edge).origin) return "media";
  if (pathname.startsWith("/assets/")) return null;
  return KINDS.find(([, pattern]) => pattern.test(pathname))?.[0] ?? "other";
}

const [path, seconds] = given("count.mjs READY.json SECONDS", 2);
await told(async ({ report, person }) => {
  const demo = await ready(path);
  const page = await person([]);
  await logIn(page, demo);
  await openFirstChannel(page);
  const counts = {};
  let bytes = 0;
  page.on("request", (request) => {
    const of = kind(request.url(), demo.edge);
    if (of !== null) counts[of] = (counts[of] ?? 0) + 1;
  });
  page.on("response", async (response) => {
    if (kind(response.url(), demo.edge) === "media") bytes += Number(response.headers()["content-length"] ?? 0);
  });
  const media = () => page.evaluate(() => window.railbird.stats.mediaTime);
  const before = await media();
  await page.waitForFunction((until) => window.railbird.stats.mediaTime >= until, before + Number(seconds), {
    timeout: seconds * 1000 + PATIENCE_MS,
  });
  const hour = 3600 / ((await media()) - before);
  const hourly = Object.fromEntries(Object.entries(counts).map(([of, count]) => [of, Math.round(count * hour)]));
  const { media: read = 0, ...edge } = hourly;
  const asked = Object.values(edge).reduce((sum, count) => sum + count, 0);
  const gigabytes = (MBPS * 3600) / 8 / 1000;
  const dollars = (value) => Number((value * 1000).toFixed(2));
  // A request reads the pass's own object; what it reads besides comes from copies near it.
  const edge_dollars = dollars((asked * (WORKERS_REQUESTS + CPU_MS * WORKERS_CPU_MS + OBJECT_REQUESTS)) / 1e6);
  Object.assign(report, {
    hourly,
    media_mb_hour: Math.round((bytes * hour) / 1e6),
    dollars_1000_viewer_hours: {
      edge: edge_dollars,
      r2: dollars((read * R2_READS) / 1e6),
      bunny: dollars(gigabytes * BUNNY_GB),
      cloudfront: dollars(gigabytes * CLOUDFRONT_GB),
    },
  });
});
