// A pass holder watches a low-latency channel: `node lowlatency.mjs READY.json SECONDS`.
//
// Plays so many seconds of media from parts in one stretch without a stall, and prints `steady`. Whoever runs it then lets the
// encoder come back as another one, and the picture must go on behind the discontinuity for another such stretch; then it prints
// the node in use, which is to fail, and plays a third one of another node. A stall only begins the stretch anew, as do whole
// segments: a player with a second in hand stands still where the machine does, and is further behind for a while. Prints what
// it saw as JSON, with how far the picture is behind the clock; exits 0 when all stretches were played.
import { PATIENCE_MS, given, logIn, openFirstChannel, ready, told } from "./viewer.mjs";

const facts = () => {
  const { stats } = window.railbird;
  const { mediaTime, stalls, waitingEvents, hedges, retries } = stats;
  const behind_ms = Date.now() - Number(new Date(stats.playingDate));
  return { media_s: mediaTime, behind_ms, stalls, waiting: waitingEvents, hedges, retries };
};

const [path, seconds] = given("lowlatency.mjs READY.json SECONDS", 2);
await told(async ({ report, problem, person }) => {
  const page = await person(["waiting", "stalled", "pause", "error", "ended", "seeking"]);
  const asked = { parts: new Set(), segments: new Set(), blocking: 0, deltas: 0 };
  page.on("request", (request) => {
    const { pathname, search } = new URL(request.url());
    if (pathname.includes("/_parts/")) asked.parts.add(pathname);
    else if (pathname.endsWith(".m4s")) asked.segments.add(pathname);
    if (search.includes("_HLS_part=")) asked.blocking += 1;
    if (search.includes("_HLS_skip=")) asked.deltas += 1;
  });
  // The player is a few seconds behind what the playlist tells: the stretch that follows plays over it.
  const discontinuity = page.waitForResponse(
    async (response) => /\/source\.m3u8$/.test(new URL(response.url()).pathname) && (await response.text()).includes("#EXT-X-DISCONTINUITY\n"),
    { timeout: 4 * PATIENCE_MS },
  );
  // Whoever fails before it is waited for says why.
  discontinuity.catch(() => {});

  /** Waits for a stretch without a stall, and says what was asked for from its beginning. */
  const stretch = async () => {
    for (const until_ms = Date.now() + PATIENCE_MS + seconds * 1000; ; ) {
      const [before, had] = [await page.evaluate(facts), { parts: asked.parts.size, segments: asked.segments.size }];
      await page.waitForFunction(
        ([until, waiting]) => {
          const { stats } = window.railbird;
          return stats.mediaTime >= until || stats.waitingEvents > waiting;
        },
        [before.media_s + Number(seconds), before.waiting],
      );
      const after = await page.evaluate(facts);
      const parts = asked.parts.size - had.parts;
      const stalled = after.waiting > before.waiting;
      // A third of a second each: most of the stretch must have been played of them.
      const few = parts < Number(seconds);
      if ((stalled || few) && Date.now() < until_ms) {
        // Far behind, whole segments are played; as a person would, by the key for it.
        if (few) await page.keyboard.press("l");
        continue;
      }
      if (stalled) problem(`the picture never went on for ${seconds} s without a stall`);
      if (few) problem(`only ${parts} parts were asked for in ${seconds} s`);
      return { ...after, parts, segments: asked.segments.size - had.segments };
    }
  };

  await logIn(page, await ready(path));
  await openFirstChannel(page);
  try {
    report.first = await stretch();
    console.log("steady");
    await discontinuity;
    report.second = await stretch();
    const failing = await page.evaluate(() => window.railbird.stats.node);
    console.log(failing);
    report.third = await stretch();
    const node = await page.evaluate(() => window.railbird.stats.node);
    if (node === failing) problem(`node ${node} has failed and is still in use`);
  } finally {
    report.asked = { parts: asked.parts.size, segments: asked.segments.size, blocking: asked.blocking, deltas: asked.deltas };
    report.moments = await page.evaluate(() => window.railbird.stats.moments);
  }
  if (asked.blocking === 0) problem("no playlist was waited for");
});
