import assert from "node:assert/strict";
import { test } from "node:test";
import { isLess, NOTHING, offer, soundAlone, startingAt } from "../src/variants";

const HEAD = ["#EXTM3U", "#EXT-X-VERSION:7", "#EXT-X-INDEPENDENT-SEGMENTS"];
const PICTURES = [
  '#EXT-X-STREAM-INF:BANDWIDTH=1200000,CODECS="avc1.64001f,mp4a.40.2",RESOLUTION=1280x720,PATHWAY-ID="a"',
  "a/source.m3u8",
  '#EXT-X-STREAM-INF:BANDWIDTH=400000,CODECS="avc1.64001f,mp4a.40.2",RESOLUTION=426x240,PATHWAY-ID="a"',
  "a/240p.m3u8",
];
const ALONE = '#EXT-X-STREAM-INF:BANDWIDTH=70000,CODECS="mp4a.40.2",PATHWAY-ID="a"';
const GROUP = [
  '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="sound-a",NAME="Hall, and table",LANGUAGE="en",DEFAULT=YES,AUTOSELECT=YES,URI="a/audio.m3u8"',
  '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="sound-a",NAME="Commentary",DEFAULT=NO,AUTOSELECT=YES,URI="a/audio-1.m3u8?until=7"',
];
const text = (...lines: string[]): string => [...lines, ""].join("\n");

test("what there is to choose from are heights of pictures, sounds, and sound alone beside pictures", () => {
  assert.deepEqual(offer(text(...HEAD)), NOTHING);
  assert.deepEqual(offer(text(...HEAD, ...PICTURES)), { heights: [720, 240], sounds: [], standard: -1, alone: false });
  assert.equal(offer(text(...HEAD, ...PICTURES, ALONE, "a/audio.m3u8")).alone, true);
  assert.equal(offer(text(...HEAD, ALONE, "a/audio.m3u8")).alone, false, "there is no picture to do without");
  const several = offer(text(...HEAD, ...GROUP, ...PICTURES));
  assert.deepEqual(several.sounds, [{ name: "Hall, and table", language: "en" }, { name: "Commentary", language: "" }]);
  assert.deepEqual([several.standard, several.alone], [0, true]);
  const frames = '#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH=90000,CODECS="avc1.64001f",RESOLUTION=1280x720,URI="a/source.frames.m3u8"';
  assert.equal(offer(text(...HEAD, ...PICTURES, frames)).alone, false);
  const nameless = '#EXT-X-STREAM-INF:BANDWIDTH=1,CODECS="avc1.64001f"';
  assert.equal(offer(text(...HEAD, nameless, "a/source.m3u8")).alone, false, "a picture of unknown size is one");
});

test("the sound alone is the variant without a picture, without the group that it is said to go with", () => {
  const playlist = text(...HEAD, ...PICTURES, ALONE, "a/audio.m3u8");
  assert.equal(soundAlone(playlist, -1), text(...HEAD, ALONE, "a/audio.m3u8"));
  const grouped = ALONE.replace(",PATHWAY", ',AUDIO="sound-a",PATHWAY');
  assert.equal(soundAlone(text(...HEAD, ...PICTURES, grouped, "a/audio.m3u8"), -1), text(...HEAD, ALONE, "a/audio.m3u8"));
  const pictures = text(...HEAD, ...PICTURES);
  assert.equal(soundAlone(pictures, -1), pictures);
});

test("of several sounds, the one that is chosen is alone", () => {
  const playlist = text(...HEAD, ...GROUP, ...PICTURES);
  const variant = "#EXT-X-STREAM-INF:BANDWIDTH=128000";
  assert.equal(soundAlone(playlist, 0), text(...HEAD, variant, "a/audio.m3u8"));
  assert.equal(soundAlone(playlist, 1), text(...HEAD, variant, "a/audio-1.m3u8?until=7"));
});

const BEGIN_MS = Date.parse("2026-11-20T10:52:00.040Z");
const MEDIA = text(
  "#EXTM3U",
  "#EXT-X-TARGETDURATION:2",
  "#EXT-X-PROGRAM-DATE-TIME:2026-11-20T10:52:00.040Z",
  "#EXTINF:2.00000,",
  "https://a.example/1",
  "#EXTINF:1.50000,",
  "https://a.example/2",
  "#EXT-X-DISCONTINUITY",
  "#EXT-X-PROGRAM-DATE-TIME:2026-11-20T10:53:00.040Z",
  "#EXTINF:2.00000,",
  "https://a.example/3",
);

test("a media playlist begins where it is told to, over a hole at what comes next, and before its front at that", () => {
  const starts = (at_ms: number) => /#EXT-X-START:TIME-OFFSET=([\d.]+),PRECISE=YES/.exec(startingAt(MEDIA, BEGIN_MS + at_ms))?.[1];
  assert.equal(starts(500), "0.500");
  assert.equal(starts(2_000), "2.000");
  assert.equal(starts(3_250), "3.250");
  assert.equal(starts(30_000), "3.500", "in the hole");
  assert.equal(starts(61_000), "4.500");
  assert.equal(starts(-5_000), "0.000", "before its front");
  assert.equal(starts(62_000), undefined, "that is not listed yet");
  assert.equal(startingAt(MEDIA, BEGIN_MS + 500).split("\n")[0], "#EXTM3U");
  const said = MEDIA.replace("#EXT-X-TARGET", "#EXT-X-START:TIME-OFFSET=1\n#EXT-X-TARGET");
  assert.equal(startingAt(said, BEGIN_MS), said);
  const undated = text("#EXTM3U", "#EXTINF:2.00000,", "https://a.example/1");
  assert.equal(startingAt(undated, BEGIN_MS), undated);
});

test("a playlist is only less where it has nothing that the one before lacked, and all that plays", () => {
  const [source, low] = [PICTURES.slice(0, 2), PICTURES.slice(2)];
  const [one, all] = [text(...HEAD, ...source), text(...HEAD, ...GROUP, ...PICTURES)];
  const playing = ["https://edge.example/live/t/a/source.m3u8?parts=nodes"];
  assert.equal(isLess(one, all, playing), true);
  assert.equal(isLess(one.replace("a/source", "b/source"), all, playing), true, "at another node");
  assert.equal(isLess(one, all, [...playing, "https://edge.example/live/t/a/audio-1.m3u8?until=7"]), false, "its sound is gone");
  assert.equal(isLess(one, all, ["https://edge.example/live/t/a/240p.m3u8"]), false, "its picture is gone");
  assert.equal(isLess(all, all, playing), false, "names may be others");
  assert.equal(isLess(all, one, playing), false);
  assert.equal(isLess(text(...HEAD, ...GROUP, ...source), text(...HEAD, ...low, ...source), playing), false, "there is something else");
});
