// Somebody watches with a player that is not ours and has it show the score as subtitles:
// `node subtitles.mjs READY.json hls|shaka`.
//
// The first channel is played by a token in the path, and a match is on whose side 0 makes a point a second. The player is told
// to show the score; every cue that it has must lie where the score document says that this score was, to a frame, and what is
// on the screen must be what it was at the moment of the picture. What hls.js reads of the tags inside of segments must say the same. Prints what it saw as JSON; exits 0 when all was well, else 1.
import { began, moves, segments, site } from "./elsewhere.mjs";
import { PATIENCE_MS, bearer, given, ready, told } from "./viewer.mjs";

const PLAYERS = {
  hls: "../../edge/player/node_modules/hls.js/dist/hls.js",
  shaka: "node_modules/shaka-player/dist/shaka-player.compiled.js",
};
/** One frame of the clip, in milliseconds. */
const FRAME_MS = 40;
/** So many changes of the score must be seen. */
const CHANGES = 4;

/** Run in the page: hls.js plays this address, and shows the first subtitles there are. */
async function playHls(url) {
  const video = document.querySelector("video");
  const hls = new window.Hls();
  window.dateNow = () => hls.playingDate?.getTime();
  window.tags = [];
  hls.on("hlsFragParsingMetadata", (_event, { samples }) => {
    for (const { pts, data } of samples) window.tags.push({ pts, text: new TextDecoder().decode(data) });
  });
  const parsed = new Promise((resolve) => hls.once("hlsManifestParsed", resolve));
  hls.loadSource(url);
  hls.attachMedia(video);
  await parsed;
  hls.subtitleTrack = 0;
  hls.subtitleDisplay = true;
  return hls.allSubtitleTracks.map(({ name, default: isDefault, autoselect }) => ({ name, isDefault, autoselect }));
}

/** Run in the page: the same with Shaka Player. */
async function playShaka(url) {
  window.shaka.polyfill.installAll();
  const player = new window.shaka.Player();
  await player.attach(document.querySelector("video"));
  await player.load(url);
  window.dateNow = () => player.getPlayheadTimeAsDate()?.getTime();
  const tracks = player.getTextTracks();
  await player.selectTextTrack(tracks[0]);
  await player.setTextTrackVisibility?.(true);
  return tracks.map(({ label, primary }) => ({ name: label, isDefault: primary }));
}

/** Run in the page: every cue by when it is shown, what is on the screen, and the moment of the picture. */
const seen = () => {
  const { zero_ms } = window;
  const video = document.querySelector("video");
  const cue = ({ startTime, endTime, text }) => ({ from_ms: zero_ms + startTime * 1000, to_ms: zero_ms + endTime * 1000, text });
  const tracks = [...video.textTracks].filter((track) => track.mode !== "disabled");
  const cues = tracks.flatMap((track) => [...(track.cues ?? [])].filter((cue) => /\(\+/.test(cue.text)).map(cue));
  const active = tracks.filter((track) => track.mode === "showing").flatMap((track) => [...(track.activeCues ?? [])].map(cue));
  return { cues, active, now_ms: zero_ms + video.currentTime * 1000 };
};

/**
 * What the tags inside of segments say: each the score of an event, from that event's moment on, to a frame; or, where it has been
 * so for longer, from the beginning of a segment. How many of both there are.
 */
function tagged({ tags, zero_ms }, entries, problem) {
  const found = { changes: 0, standing: 0 };
  for (const { pts, text } of tags) {
    const { seq, state } = JSON.parse(text.slice(text.indexOf("railbird.score") + "railbird.score".length + 1));
    const entry = entries.find((entry) => entry.seq === seq);
    const late_ms = zero_ms + pts * 1000 - entry.at / 90;
    if (JSON.stringify(state) !== JSON.stringify(entry.state) || late_ms < -FRAME_MS) problem(`the tag of event ${seq} is ${late_ms} ms late: ${text}`);
    found[late_ms <= FRAME_MS ? "changes" : "standing"] += 1;
  }
  if (found.changes < CHANGES || found.standing === 0) problem(`there are too few tags: ${JSON.stringify(found)}`);
  return found;
}

const [path, kind] = given("subtitles.mjs READY.json hls|shaka", 2);
await told(async ({ report, problem, stranger }) => {
  const demo = await ready(path);
  const { token, channels } = await bearer(demo);
  const [{ id }] = channels;
  const url = (file) => new URL(`/t/${token}/live/${id}/${file}`, demo.edge).href;
  const { entries } = await (await fetch(url("score.json"))).json();
  /** When side 0 had so many points, in milliseconds since 1970. */
  const at = new Map(entries.map(({ at, state }) => [state.sides[0].points, at / 90]));
  const another = await site(PLAYERS[kind]);
  try {
    const page = await stranger();
    const { asked, starts } = segments(page);
    await page.goto(another.url);
    const tracks = await page.evaluate(kind === "hls" ? playHls : playShaka, url("main.m3u8"));
    await page.waitForFunction(moves);
    await page.evaluate(began, starts());
    const points = ({ text }) => Number(/ (\d+) \(\+/.exec(text)?.[1]);
    const all = new Map();
    const shown = new Set();
    // Cues that were on the screen behind their end: the browser takes them away with its next look, which may come late.
    let over = new Set();
    for (const ends_ms = Date.now() + PATIENCE_MS; shown.size < CHANGES; ) {
      if (Date.now() > ends_ms) throw new Error(`only ${shown.size} scores were shown, of ${all.size} cues: ${JSON.stringify([...all.values()].slice(-3))}`);
      // The next change of what is on the screen.
      const before = await page.evaluate(seen);
      for (const cue of before.cues) all.set(`${Math.round(cue.from_ms)}-${points(cue)}`, cue);
      const was_over = over;
      over = new Set();
      for (const cue of before.active.filter(({ text }) => /\(\+/.test(text))) {
        shown.add(points(cue));
        const late_ms = before.now_ms - cue.to_ms;
        if (late_ms > 0) over.add(points(cue));
        if (before.now_ms < cue.from_ms - FRAME_MS || (late_ms > 500 && was_over.has(points(cue)))) problem(`${points(cue)} points are shown ${late_ms} ms late`);
      }
      await page.evaluate(() => new Promise((resolve) => document.querySelector("video").addEventListener("timeupdate", resolve, { once: true })));
    }
    let on_time = 0;
    for (const cue of all.values()) {
      const [begins, ends] = [at.get(points(cue)), at.get(points(cue) + 1) ?? Infinity];
      if (begins === undefined) problem(`there is no such score: ${cue.text}`);
      if (cue.from_ms < begins - FRAME_MS || cue.to_ms > ends + FRAME_MS)
        problem(`${points(cue)} points at ${cue.from_ms - begins} ms, until ${cue.to_ms - ends} ms`);
      if (Math.abs(cue.from_ms - begins) <= FRAME_MS) on_time += 1;
    }
    if (kind === "hls") report.tags = tagged(await page.evaluate(() => ({ tags: window.tags, zero_ms: window.zero_ms })), entries, problem);
    if (on_time < CHANGES / 2) problem(`only ${on_time} cues begin with their score`);
    const parts = asked.filter((path) => path.endsWith(".vtt"));
    const twice = parts.length - new Set(parts).size;
    Object.assign(report, { tracks, cues: all.size, on_time, shown: shown.size, segments: parts.length, twice });
  } finally {
    another.close();
  }
});
