// A pass holder and the board: `node board.mjs READY.json ORIGIN KEY START_MS SHOTS`.
//
// The channel `t` has some seconds of picture that begin at START_MS; the script is its scorer. Without a picture the board shows
// the newest score: a match in sets with a shot clock. Then it is looked at in other languages, one of them written from right to
// left, in large type, and not at all; and the page remembers. Prints what it saw as JSON; exits 0 when all was as it should be.
import { join } from "node:path";
import { given, logIn, ready, told } from "./viewer.mjs";

const [path, origin, key, start, shots] = given("board.mjs READY.json ORIGIN KEY START_MS SHOTS", 5);

const who = (name, country) => ({ name, country });
const rules = { shot_clock: { seconds: 40, extensions: 2, extension_seconds: 40, per: "match" } };
const MATCH = [
  { type: "start", title: "Final", discipline: "three-cushion-sets", target: 3, breaks: 0, white: 0, rules, sides: [who("Merckx", "BE"), who("Çoklu", "TR")] },
  { type: "points", side: 0, points: 3 },
  { type: "points", side: 1, points: 1 },
  { type: "shot_clock", do: "start" },
];

let seq = 0;
async function put(action) {
  seq += 1;
  const answer = await fetch(new URL(`/v1/channels/t/matches/sets/events/1/${seq}`, origin), {
    method: "PUT",
    headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
    body: JSON.stringify({ occurred: Number(start) + seq * 1000, action }),
  });
  if (!answer.ok) throw new Error(`event ${seq}: ${answer.status} ${await answer.text()}`);
}

await told(async ({ report, problem, person }) => {
  const demo = await ready(path);
  for (const action of MATCH) await put(action);
  const page = await person([]);
  await logIn(page, demo);
  await page.getByTestId("channel").first().click();
  const board = page.getByTestId("score");
  const showsNewest = async () => {
    await page.getByTestId("score-only").click();
    await page.getByTestId("shot-clock").waitFor();
  };
  await showsNewest();

  const text = (test) => page.getByTestId(test).textContent();
  const is = async (test, wanted) => {
    const found = await text(test);
    if (found !== wanted) problem(`${test} is ${JSON.stringify(found)}, not ${JSON.stringify(wanted)}`);
  };
  await is("score-won-0", "1");
  await is("score-won-1", "0");
  await is("score-points-1", "1");
  await is("score-units", "3–0");
  await is("score-inning", "Set 2 · Inning 1");
  const flags = await board.locator("svg.flag").count();
  if (flags !== 2) problem(`${flags} flags`);
  const balls = await board.locator(".cue").evaluateAll((cues) => cues.map((cue) => cue.dataset.ball).sort());
  if (balls.join() !== "white,yellow") problem(`balls are ${balls.join()}`);
  const left = Number(await text("shot-clock"));
  if (!(left > 0 && left <= 40)) problem(`the shot clock says ${left}`);
  await page.waitForFunction((left) => Number(document.querySelector("[data-testid=shot-clock]").textContent) < left, left);
  await page.screenshot({ path: join(shots, "board.png"), fullPage: true });

  // Another language, and one from right to left.
  await page.getByTestId("score-settings").click();
  await page.getByTestId("language").selectOption("fr");
  await is("score-inning", "Set 2 · Reprise 1");
  await page.getByTestId("language").selectOption("ar");
  await page.waitForFunction(() => document.querySelector("[data-testid=score]").dir === "rtl");
  const [cue, points] = await Promise.all([
    board.locator(".side .cue").first().boundingBox(),
    page.getByTestId("score-points-0").boundingBox(),
  ]);
  if (!(cue.x > points.x)) problem("from right to left, the points stand on the right");
  const heading = await page.getByTestId("score-sheet").locator("thead").textContent();
  if (!heading.includes("المجموعات")) problem(`the sheet's head is ${heading}`);
  await page.screenshot({ path: join(shots, "board-ar.png"), fullPage: true });

  // Large type, and none.
  const size = () => board.evaluate((board) => Number.parseFloat(getComputedStyle(board).fontSize));
  const usual = await size();
  await page.getByTestId("large-type").check();
  const large = await size();
  if (!(large > 1.3 * usual)) problem(`large type has ${large} px where ${usual} px are usual`);
  await page.getByTestId("hide-score").check();
  await board.waitFor({ state: "hidden" });
  await page.getByTestId("hide-score").uncheck();
  await board.waitFor();

  // The page remembers, and fits a phone.
  await page.setViewportSize({ width: 390, height: 844 });
  await page.reload();
  await showsNewest();
  await page.waitForFunction(() => document.querySelector("[data-testid=score]").dir === "rtl");
  const [frame, own] = await Promise.all([page.locator(".picture").boundingBox(), board.boundingBox()]);
  if (own.x < frame.x || own.x + own.width > frame.x + frame.width || own.y < frame.y) problem("the board is larger than the picture");
  const wide = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
  if (wide > 0) problem(`the page is ${wide} px wider than a phone`);
  await page.screenshot({ path: join(shots, "board-phone.png"), fullPage: true });
  Object.assign(report, { usual, large, left });
});
