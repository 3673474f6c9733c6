// A pass holder and the score sheet: `node innings.mjs READY.json ORIGIN KEY START_MS SHOTS`.
//
// The channel `t` has some half a minute of picture that begins at START_MS, and its encoder has gone; the script is its scorer,
// too. First the score goes on without a picture, and without loading one. Then it says `live done` and waits for a line: the
// channel has ended. The recording is seen by innings, a clip of it is shared, and somebody else sees it spoiler-free: nothing
// that the edge sends tells of what was not seen. Prints what it saw as JSON; exits 0 when all was as it should be, else 1.
import { join } from "node:path";
import { createInterface } from "node:readline";
import { given, logIn, playing, ready, told } from "./viewer.mjs";

const [path, origin, key, start, shots] = given("innings.mjs READY.json ORIGIN KEY START_MS SHOTS", 5);
const START_MS = Number(start);

const who = (name, country) => ({ name, country });
const point = (side, points) => ({ type: "points", side, points });
const miss = (side) => ({ type: "end_inning", side });
/** What happens, and how many seconds after the picture begins. */
const MATCH = [
  [0.5, { type: "start", title: "Final", discipline: "three-cushion", target: 10, breaks: 0, equalising_inning: false, sides: [who("Nelin", "SE"), who("Cho", "KR")] }],
  [1, point(0, 2)],
  [3, miss(0)],
  [4, point(1, 3)],
  [6, miss(1)],
  [9, point(0, 7)],
  [12, miss(0)],
  [14, point(1, 1)],
  [17, miss(1)],
];
const WIN = [20, point(0, 1)];

let seq = 0;
async function put([at_s, action]) {
  seq += 1;
  const answer = await fetch(new URL(`/v1/channels/t/matches/final/events/1/${seq}`, origin), {
    method: "PUT",
    headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
    body: JSON.stringify({ occurred: START_MS + at_s * 1000, action }),
  });
  if (!answer.ok) throw new Error(`event ${seq}: ${answer.status} ${await answer.text()}`);
}

/** Seconds of the picture since it began. */
const shown_s = () => (Date.parse(window.railbird.stats.playingDate) - window.START_MS) / 1000;
const isFrom = ([from, to]) => {
  const at = (Date.parse(window.railbird.stats.playingDate) - window.START_MS) / 1000;
  return at >= from && at < to;
};

await told(async ({ report, problem, person }) => {
  const demo = await ready(path);
  const points = (page, side, text) =>
    page.waitForFunction(([side, text]) => document.querySelector(`[data-testid=score-points-${side}]`)?.textContent === text, [side, text]);

  // Live: the picture runs out, the score does not.
  for (const event of MATCH.slice(0, 6)) await put(event);
  const page = await person([]);
  await page.addInitScript((ms) => Object.defineProperty(window, "START_MS", { value: ms }), START_MS);
  await logIn(page, demo);
  await page.getByTestId("channel").first().click();
  await playing(page);
  await page.locator('[data-testid=state][data-state="feed-paused"]').waitFor();
  await points(page, 0, "9");
  for (const event of MATCH.slice(6, 8)) await put(event);
  await points(page, 1, "4");
  await page.getByTestId("score-only").click();
  const loaded = [];
  page.on("request", (request) => {
    if (/\.(m4s|mp4|m3u8)(\?|$)/.test(request.url())) loaded.push(request.url());
  });
  await page.locator("canvas.still").waitFor();
  for (const event of [...MATCH.slice(8), WIN]) await put(event);
  await points(page, 0, "10");
  if (loaded.length > 0) problem(`the score alone loads ${loaded[0]}`);
  await page.screenshot({ path: join(shots, "score-only.png") });
  console.log("live done");
  const lines = createInterface({ input: process.stdin });
  await new Promise((resolve) => lines.once("line", resolve));
  lines.close();

  // The recording, by innings.
  await page.goto(new URL("/", demo.edge).href);
  await page.getByTestId("replay").first().click();
  await playing(page);
  const recording = new URL(page.url()).pathname;
  const cells = page.locator("[data-testid=innings] tbody button");
  await page.waitForFunction(() => document.querySelectorAll("[data-testid=innings] tbody button").length === 5);
  const sheet = await cells.allTextContents();
  // The second side broke no inning off: rows are innings, each with both sides.
  if (sheet.join() !== "2,3,7,1,1") problem(`the sheet says ${sheet.join()}`);
  const lands = async (what, from, to, act) => {
    await act();
    await page.waitForFunction(isFrom, [from, to]).catch(async () => problem(`${what} leads to ${await page.evaluate(shown_s)} s`));
  };
  // A place that is looked for is not left before it is found.
  const plays = (rate) => page.evaluate((rate) => (document.querySelector("video").playbackRate = rate), rate);
  await plays(0.25);
  await lands("the run of seven", 2.9, 8.8, () => cells.nth(2).click());
  await lands("the next inning", 8.9, 20, () => page.getByTestId("inning-next").click());
  await lands("the one before", 2.9, 6, async () => {
    await page.getByTestId("inning-previous").click();
    await page.waitForFunction(isFrom, [8.9, 13]);
    await page.getByTestId("inning-previous").click();
  });
  await plays(1);
  const clips = await page.getByTestId("highlights").locator(".highlight").allTextContents();
  report.highlights = clips;
  if (!clips.some((text) => text.includes("7") && text.includes("Nelin"))) problem(`no run of seven among ${clips.join("; ")}`);
  await page.screenshot({ path: join(shots, "innings.png"), fullPage: true });
  await page.locator('.highlight[data-kind="run"] ~ [data-testid=share]').click();
  const link = await page.getByTestId("clip-link").inputValue();

  // Somebody without a session opens the clip, logs in, and sees just that.
  await page.getByTestId("logout").click();
  await page.waitForURL((url) => url.pathname === "/login");
  const other = page;
  await other.goto(link);
  await other.waitForURL((url) => url.pathname === "/login");
  await other.getByTestId("email").fill(demo.email);
  await other.getByTestId("password").fill(demo.password);
  await other.keyboard.press("Enter");
  await other.waitForURL((url) => url.pathname === recording && url.search.startsWith("?from="));
  await playing(other);
  const first_s = await other.evaluate(shown_s);
  if (!(first_s >= 2.9 && first_s < 8)) problem(`the clip begins at ${first_s} s`);
  await other.evaluate(() => (document.querySelector("video").playbackRate = 4));
  await other.waitForFunction(() => document.querySelector("video").paused);
  const end_s = await other.evaluate(shown_s);
  if (!(end_s > 14 && end_s < 18)) problem(`the clip ends at ${end_s} s`);
  await other.getByTestId("watch-from-here").click();
  await other.waitForFunction(isFrom, [end_s - 1, end_s + 9]);

  // Spoiler-free: whatever the edge sends is kept, and says nothing of what was not seen.
  const free = page;
  await free.evaluate(() => localStorage.setItem("railbird-spoilers", "no"));
  const texts = [];
  free.on("response", (response) => {
    const type = response.headers()["content-type"] ?? "";
    if (/json|mpegurl|vtt|html|event-stream/.test(type)) texts.push(response.text().catch(() => ""));
  });
  const everything = async () => (await Promise.all(texts)).join("\n");
  // A clip that somebody shared tells no more than the picture either; at its end, it begins again.
  await free.goto(link);
  await playing(free);
  await points(free, 0, "2");
  const clip_s = await free.evaluate(shown_s);
  if (clip_s < 9.5 && /"winner":0|"kind":"win"/.test(await everything())) problem(`a clip told the result at ${clip_s} s`);
  await free.evaluate(() => (document.querySelector("video").playbackRate = 4));
  await free.waitForFunction(() => document.querySelector("video").paused);
  await free.evaluate(() => (document.querySelector("video").playbackRate = 1));
  await free.getByTestId("play").click();
  await free.waitForFunction(isFrom, [2.9, 12]);
  texts.length = 0;
  await free.goto(new URL("/", demo.edge).href);
  const about = await free.getByTestId("replay").first().textContent();
  if (/\d+ (s|min|h)\b/.test(about)) problem(`the list says how long it is: ${about}`);
  await free.getByTestId("replay").first().click();
  await playing(free);
  await points(free, 0, "2");
  const seen_s = await free.evaluate(shown_s);
  const early = await everything();
  // The score is asked for ten seconds ahead of the picture.
  if (seen_s < 9.5) {
    for (const word of [/"winner":0/, /"kind":"win"/, /"points":10\b/]) {
      if (word.test(early)) problem(`${word} was told at ${seen_s} s`);
    }
  }
  const rows = await free.locator("[data-testid=innings] tbody button").count();
  if (seen_s < 5.5 && rows > 2) problem(`the sheet shows ${rows} innings at ${seen_s} s`);
  await free.screenshot({ path: join(shots, "spoiler-free.png"), fullPage: true });
  // Its score is known ahead of the picture, and the sheet keeps it to itself.
  await free.waitForFunction(isFrom, [6.2, 26]);
  const third = await free.evaluate(() => ({
    text: document.querySelectorAll("[data-testid=innings] tbody button")[2]?.textContent,
    at_s: (Date.parse(window.railbird.stats.playingDate) - window.START_MS) / 1000,
  }));
  if (third.at_s < 8.9 && third.text !== "0") problem(`at ${third.at_s} s the sheet says ${third.text} of a run of which nothing was seen`);
  await free.evaluate(() => (document.querySelector("video").playbackRate = 4));
  await points(free, 0, "10");
  if (!/"winner":0/.test(await everything())) problem("the end was never told");
  report.seen_s = seen_s;
});
