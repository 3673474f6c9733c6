// The scorer's pad in a real browser: `node pad.mjs ORIGIN CHANNEL KEY CLOCK SHOTS`.
//
// A match is set up, scored, undone and corrected; the network goes away for more than two minutes by everybody's clock, and the
// page is loaded again meanwhile; then the origin has every entry once and in order, and the score that the pad showed. A second
// pad takes over, and the first one says so, also where it was away; a browser without room goes on. CLOCK is the file by which the origin's clock is set. Exits 0 when all was well.
import { rename, writeFile } from "node:fs/promises";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import { browser, given, open } from "./viewer.mjs";

const [origin, channel, key, clockFile, shots] = given("pad.mjs ORIGIN CHANNEL KEY CLOCK SHOTS", 5);
const TABLET = { width: 1024, height: 768 };
const PHONE = { width: 390, height: 844 };
const report = { ok: false, problems: [] };
const problem = (text) => report.problems.push(text);
const same = (what, is, expected) => {
  if (JSON.stringify(is) !== JSON.stringify(expected)) problem(`${what}: ${JSON.stringify(is)} instead of ${JSON.stringify(expected)}`);
};

/** Sets the origin's clock off by so many seconds. */
async function setOrigin(seconds) {
  await writeFile(`${clockFile}.next`, `+${seconds}`);
  await rename(`${clockFile}.next`, clockFile);
}

async function api(path) {
  const answer = await fetch(`${origin}/v1/channels/${channel}/matches${path}`, { headers: { authorization: `Bearer ${key}` } });
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
  return answer.json();
}

/** A way to the origin that can be cut: nothing passes then, and nobody answers. */
async function way() {
  const { hostname, port } = new URL(origin);
  const ends = new Set();
  let open = true;
  const server = createServer((near) => {
    if (!open) return near.destroy();
    const far = connect(Number(port), hostname);
    for (const [end, other] of [[near, far], [far, near]]) {
      ends.add(end);
      end.on("error", () => other.destroy());
      end.on("close", () => {
        ends.delete(end);
        other.destroy();
      });
      end.pipe(other);
    }
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  server.unref();
  return {
    url: `http://127.0.0.1:${server.address().port}`,
    cut: () => {
      open = false;
      for (const end of ends) end.destroy();
    },
    mend: () => {
      open = true;
    },
  };
}

const everyone = [];

/** Somebody with a tablet of their own, whose requests are kept. */
async function scorer(chromium, viewport, base = origin) {
  const context = await chromium.newContext({ viewport, hasTouch: true });
  const { page, faults } = await open(context);
  const asked = [];
  context.on("request", (request) => asked.push(request.url()));
  await page.clock.install();
  everyone.push({ faults, asked, base });
  const at = (id) => page.getByTestId(id);
  const press = async (...ids) => {
    for (const id of ids) await at(id).first().click();
  };
  return {
    context,
    page,
    asked,
    at,
    press,
    come: (withKey = key) => page.goto(`${base}/score/${channel}#key=${withKey}`),
    /** Waits until the board shows these points. */
    shows: async (...points) => {
      for (const [side, expected] of points.entries()) {
        await page.waitForFunction(([id, text]) => document.querySelector(`[data-testid="${id}"]`)?.textContent === text, [`points-${side}`, String(expected)]);
      }
    },
    /** Waits until that side is at the table. */
    plays: (name) => page.waitForFunction((name) => document.querySelector(".at-table")?.getAttribute("aria-label") === name, name),
    pending: (count) => page.waitForFunction((text) => document.getElementById("link")?.dataset.pending === text, String(count)),
    board: () => at("board").innerText(),
    shot: (name) => page.screenshot({ path: join(shots, `pad-${name}.png`) }),
    says: (text) => page.waitForFunction((part) => document.getElementById("problem-text")?.textContent?.includes(part), text),
  };
}

async function work(chromium) {
  const network = await way();
  const a = await scorer(chromium, TABLET, network.url);
  await a.come();
  await a.at("new-match").waitFor();
  same("the address", a.page.url(), `${network.url}/score/${channel}`);
  await a.shot("empty");

  // A match is set up.
  await a.press("new-match");
  await a.at("name-0").fill("Marco Zanetti");
  await a.at("country-0").fill("it");
  await a.press("accept");
  await a.page.getByTestId("wrong").filter({ hasText: "names" }).waitFor();
  await a.at("name-1").fill("Myung-Woo Cho");
  await a.at("country-1").fill("kr");
  await a.at("shot-clock").fill("forty");
  await a.press("accept");
  await a.page.getByTestId("wrong").filter({ hasText: "Shot clock" }).waitFor();
  await a.at("shot-clock").fill("40");
  await a.press("more");
  await a.at("extensions").fill("2");
  await a.shot("set-up");
  await a.press("accept");
  await a.shows(0, 0);

  // Scored, by finger and by keyboard.
  await a.press("plus-1");
  await a.shows(1, 0);
  await a.press("plus-2");
  await a.shows(3, 0);
  await a.press("clock-start");
  await a.at("clock-stop").waitFor();
  await a.press("miss", "plus-3");
  await a.shows(3, 3);
  await a.page.keyboard.press("1");
  await a.page.keyboard.press("2");
  await a.shot("number");
  await a.page.keyboard.press("Enter");
  await a.shows(3, 15);
  await a.page.keyboard.press("u");
  await a.shows(3, 3);
  await a.press("miss");
  await a.page.getByTestId("phase").filter({ hasText: "Inning 2" }).waitFor();
  await a.press("plus-1");
  await a.shows(4, 3);
  // The first entry was 2, not 1.
  await a.press("menu");
  await a.press("history");
  await a.shot("history");
  await a.press("entry-1-2", "key-2", "accept");
  await a.shows(5, 3);
  // What the rules refuse is told, and nothing is entered.
  await a.page.keyboard.press("9");
  await a.page.keyboard.press("9");
  await a.page.keyboard.press("Enter");
  await a.page.getByTestId("toast").filter({ hasText: "left to the target" }).waitFor();
  await a.shows(5, 3);
  await a.pending(0);
  const { matches } = await api("");
  const match = matches[0].match;
  const standing = async () => {
    const { state } = await api(`/${match}`);
    return state.sides.map(({ points, run, high_run, innings }) => ({ points, run, high_run, innings }));
  };
  same("the score", await standing(), [
    { points: 5, run: 1, high_run: 4, innings: 2 },
    { points: 3, run: 3, high_run: 3, innings: 1 },
  ]);
  await a.shot("scoring");

  // The network goes away, for more than two minutes by everybody's clock.
  await a.page.waitForFunction(async (path) => (await caches.match(path)) !== undefined && navigator.serviceWorker.controller !== null, `/score/${channel}`);
  const before = (await api(`/${match}/events`)).events.length;
  network.cut();
  let [points, seconds, entered] = [[5, 3], 0, 0];
  for (let inning = 0; inning < 12; inning += 1) {
    for (const side of [0, 1]) {
      await a.press("plus-1");
      points[side] += 1;
      await a.shows(...points);
      await a.press("miss");
      await a.plays(side === 0 ? "Myung-Woo Cho" : "Marco Zanetti");
      entered += 2;
    }
    await a.page.clock.fastForward(12_000);
    seconds += 12;
    if (inning === 6) {
      const shown = await a.board();
      await a.pending(entered);
      await a.shot("away");
      await a.page.reload();
      await a.shows(...points);
      same("the board after the page was loaded again", await a.board(), shown);
      await a.pending(entered);
    }
  }
  await a.pending(entered);
  const shown = await a.board();
  same("what the origin has meanwhile", (await api(`/${match}/events`)).events.length, before);
  await setOrigin(seconds);
  network.mend();
  await a.page.clock.fastForward(10_000);
  await setOrigin(seconds + 10);
  await a.pending(0);
  const { events, last } = await api(`/${match}/events`);
  same("the events", events.map(({ epoch, seq }) => [epoch, seq]), Array.from({ length: before + entered }, (_, n) => [1, n + 1]));
  same("the last", last, { epoch: 1, seq: before + entered });
  const away = events.slice(before).map(({ event }) => event);
  same(
    "what was entered",
    away.map(({ action }) => [action.type, action.side]),
    Array.from({ length: 24 }, (_, n) => [["points", n % 2], ["end_inning", n % 2]]).flat(),
  );
  const spread = away.at(-1).occurred - away[0].occurred;
  if (spread < 120_000) problem(`the entries lie within ${spread} ms`);
  same("the board", await a.board(), shown);
  same("the score after it", (await standing()).map(({ points }) => points), points);

  const metrics = await (await fetch(`${origin}/metrics`)).text();
  same("the scores that diverged", metrics.match(/^railbird_score_div\w+\{.*\} [1-9]\d*$/gm), null);

  // Another browser looks on, and takes over.
  const b = await scorer(chromium, PHONE);
  await b.come();
  await b.shows(...points);
  same("the buttons of who looks on", await b.at("plus-1").count(), 0);
  await b.shot("watching-phone");
  await b.press("take-over", "accept");
  await b.at("plus-1").waitFor();
  // Who scored sees it at once, before anything is entered there.
  await a.says("Another scorer has taken over");
  await a.shot("taken");
  same("the buttons of who was taken over from", await a.at("plus-1").count(), 0);
  await b.press("plus-1");
  points[0] += 1;
  await b.shows(...points);
  await b.pending(0);
  await b.shot("scoring-phone");
  await b.page.setViewportSize({ width: PHONE.height, height: PHONE.width });
  await b.shot("scoring-phone-wide");
  await a.press("take-over");
  await a.shows(...points);
  await b.says("Another scorer has taken over");

  // Again, while the first one is without a network: nothing of it is lost before its scorer says so.
  network.cut();
  await a.press("plus-2");
  await a.shows(points[0] + 2, points[1]);
  await a.pending(1);
  await b.press("take-over");
  await b.press("miss");
  await b.plays("Myung-Woo Cho");
  await b.pending(0);
  network.mend();
  await a.page.clock.fastForward(10_000);
  await a.says("Nothing is lost: 1 of your entries");
  await a.shot("taken-while-away");
  await a.press("take-over");
  await a.at("dialog").getByText("Marco Zanetti +2").waitFor();
  await a.shot("no-place");
  await a.press("cancel");
  await a.pending(1);
  await a.shows(points[0] + 2, points[1]);
  await a.press("take-over", "accept");
  await a.pending(0);
  await a.shows(...points);
  const all = (await api(`/${match}/events`)).events;
  same("the turns", all.slice(before + entered).map(({ epoch, seq }) => [epoch, seq]), [[2, 1], [4, 1]]);

  // What the origin refuses is the scorer's to drop: here, a tablet whose clock went wrong while it was alone.
  network.cut();
  await a.page.clock.fastForward(100_000);
  await a.press("plus-3");
  await a.pending(1);
  network.mend();
  await a.page.clock.fastForward(10_000);
  await a.says("clock");
  await a.shot("refused");
  await a.press("drop");
  await a.pending(0);
  await a.shows(...points);
  await a.press("miss");
  await a.pending(0);
  same("the score at last", (await standing()).map(({ points }) => points), points);

  // Who has the wrong key is told, and gives the right one.
  const c = await scorer(chromium, TABLET);
  const given = c.page.waitForRequest((request) => request.headers().authorization === "Bearer a+wrong+key");
  await c.come("a+wrong+key");
  await given;
  await c.says("key is missing or wrong");
  await c.press("give-key");
  await c.at("key").fill(key);
  await c.press("accept");
  await c.shows(...points);
  // In a second window of the same browser, only one scores.
  await c.press("take-over", "accept");
  await c.at("miss").waitFor();
  const d = await c.context.newPage();
  await d.goto(`${origin}/score/${channel}`);
  await d.getByTestId("plus-1").click();
  points[0] += 1;
  await d.waitForFunction((text) => document.querySelector('[data-testid="points-0"]')?.textContent === text, String(points[0]));
  await c.press("plus-1");
  await c.says("another window");

  // Other games: a shootout, and racks, whose buttons follow from their rules.
  const e = await scorer(chromium, TABLET, network.url);
  await e.come();
  await e.shows(...points);
  const begin = async (buttons, discipline, target, more = async () => {}) => {
    await e.press(...buttons);
    await e.at("name-0").fill("A");
    await e.at("name-1").fill("B");
    await e.at("discipline").selectOption(discipline);
    if (target !== "") await e.at("target").fill(target);
    await more();
    await e.press("accept");
    await e.shows(0, 0);
  };
  const result = async () => {
    await e.pending(0);
    const name = (await api("")).matches[0].match;
    const { state } = await api(`/${name}`);
    return [state.phase, state.winner, state.sides.map(({ points, shootout, won }) => [points, shootout, won ?? null])];
  };
  // That another one begins has to be meant while one is played.
  await begin(["new-match", "accept"], "three-cushion", "1");
  await e.press("plus-1");
  await e.shows(1, 0);
  await e.press("plus-1");
  await e.shows(1, 1);
  await e.shot("shootout");
  await e.press("shootout-0", "key-2", "accept");
  await e.press("shootout-1", "key-1", "accept");
  await e.at("confirm").waitFor();
  await e.press("confirm");
  await e.shot("finished");
  same("after the shootout", await result(), ["finished", 0, [[1, 2, null], [1, 1, null]]]);
  const rulesAsked = () => e.asked.filter((url) => url.endsWith("pad.wasm")).length;
  const asked = rulesAsked();
  await begin(["new-match"], "eight-ball", "", async () => {
    for (const side of [0, 1]) await e.at(`name-${side}`).fill("Billard ".repeat(9));
  });
  same("how often the rules were asked for, for another match", rulesAsked() - asked, 0);
  await e.pending(0);
  const { title } = (await api(`/${(await api("")).matches[0].match}`)).start;
  same("the title of two long names", title.length, 100);
  await e.shot("racks");
  await e.press("wins-1");
  await e.shows(0, 1);
  await e.press("undo");
  await e.shows(0, 0);
  await e.press("wins-0");
  await e.shows(1, 0);
  same("after a rack", await result(), ["between", null, [[0, null, 1], [0, null, 0]]]);
  await begin(["menu", "menu-new-match", "accept"], "snooker", "");
  await e.press("plus-7");
  await e.shows(7, 0);
  await e.shot("snooker");
  await e.press("foul", "key-4", "accept");
  await e.shows(7, 4);
  await e.press("unit", "unit-by-points");
  await e.page.getByTestId("phase").filter({ hasText: "Between" }).waitFor();
  same("after a frame", await result(), ["between", null, [[7, null, 1], [4, null, 0]]]);
  // What is seldom asked lies behind one more press, and what is as always is not said.
  const another = ["menu", "menu-new-match", "accept"];
  const agreed = async (matches) => {
    // Until the origin has the new one.
    while ((await api("")).matches.length < matches) await e.pending(0);
    const { title, sides, ...agreed } = (await api(`/${(await api("")).matches[0].match}`)).start;
    return agreed;
  };
  await e.pending(0);
  const known = (await api("")).matches.length;
  await begin(another, "three-cushion", "", async () => {
    await e.press("more");
    await e.at("target-1").fill("30");
    await e.at("time-outs").fill("1");
    await e.at("white").selectOption({ value: "1" });
    await e.at("swap").selectOption("half");
    await e.at("break-at-half").check();
    await e.at("tie").selectOption("extension");
    await e.at("extension-innings").fill("2");
    await e.shot("more-rules");
  });
  const rules = { break_at_half: true, swap_balls: "half", tie: { extension: { innings: 2 } }, time_outs: { count: 1, per: "match", seconds: 120 } };
  const carom = { breaks: 0, discipline: "three-cushion", equalising_inning: true };
  const sorted = (value) => JSON.parse(JSON.stringify(value), (_, part) => (part === null || typeof part !== "object" || Array.isArray(part) ? part : Object.fromEntries(Object.entries(part).sort())));
  same("what was agreed", sorted(await agreed(known + 1)), sorted({ ...carom, rules, target: [40, 30], white: 1 }));
  // The next match is by the same rules, without what was for one of these two.
  await begin(another, "three-cushion", "", async () => {
    await e.at("unit").selectOption("set");
    await e.at("length").fill("3");
    await e.at("target").fill("15");
  });
  same("what was agreed next", sorted(await agreed(known + 2)), sorted({ ...carom, rules: { ...rules, length: { best_of: 3 }, time_outs: { ...rules.time_outs, per: "unit" }, unit: "set" }, target: 15 }));
  await begin(another, "artistique", "", () => e.at("figures").fill("A01 4\nB07 8"));
  await e.press("figure-made");
  await e.shows(4, 0);
  await e.shot("artistique");
  await e.press("figure-other", "figure-B07", "figure-made");
  await e.shows(4, 8);
  await e.press("figure-missed");
  await e.plays("B");
  await e.pending(0);
  const played = (await api(`/${(await api("")).matches[0].match}/events`)).events.slice(1).map(({ event }) => [event.action.code, event.action.points]);
  same("the figures", played, [["A01", 4], ["B07", 8], ["B07", 0]]);

  // An entry of an earlier match is refused, since somebody else took that over: the others go, and of it what was seen to.
  const put = async (path, action) => {
    const event = { occurred: (await api("")).matches[0].accepted, action };
    const answer = await fetch(`${origin}/v1/channels/${channel}/matches/${path}`, {
      method: "PUT",
      headers: { authorization: `Bearer ${key}`, "content-type": "application/json" },
      body: JSON.stringify(event),
    });
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
  };
  const titled = (title) => () => e.at("match-title").fill(title);
  await begin(another, "three-cushion", "", titled("One"));
  await e.pending(0);
  const one = (await api("")).matches[0].match;
  network.cut();
  await e.press("plus-1");
  await e.shows(1, 0);
  await e.press("miss");
  await e.plays("B");
  await put(`${one}/events/2/1`, { type: "points", side: 0, points: 5 });
  await begin(another, "three-cushion", "", titled("Two"));
  await e.press("plus-2");
  await e.shows(2, 0);
  await begin(another, "three-cushion", "", titled("Three"));
  await e.press("plus-3");
  await e.shows(3, 0);
  await e.pending(6);
  network.mend();
  await e.page.clock.fastForward(10_000);
  await e.says("epoch 2");
  await e.press("drop");
  await e.at("dialog").getByText("Miss").waitFor();
  await e.press("cancel");
  await e.pending(6);
  await e.press("drop", "accept");
  await e.pending(0);
  const had = [];
  for (const { match } of (await api("")).matches.slice(0, 3)) {
    const { start, last, state } = await api(`/${match}`);
    had.push([start.title, last, state.sides[0].points]);
  }
  same("the matches around the one that was taken over", had.sort(), [
    ["One", { epoch: 2, seq: 1 }, 5],
    ["Three", { epoch: 1, seq: 2 }, 3],
    ["Two", { epoch: 1, seq: 2 }, 2],
  ]);

  // A press lasts longer than what is drawn meanwhile, here an acknowledgement.
  network.cut();
  await e.press("plus-1");
  await e.pending(1);
  await e.at("plus-1").hover();
  await e.page.mouse.down();
  network.mend();
  await e.page.clock.fastForward(10_000);
  await e.pending(0);
  await e.page.mouse.up();
  await e.shows(5, 0);
  await e.pending(0);
  // Two at once are two.
  await e.at("undo").evaluate((undo) => {
    undo.click();
    undo.click();
  });
  await e.shows(3, 0);
  // A key that is held is one, and what has the focus has Enter.
  for (const key of ["m", "m", "1", "1"]) await e.page.keyboard.down(key);
  await e.at("dialog").getByTestId("number").filter({ hasText: /^1$/ }).waitFor();
  await e.at("cancel").focus();
  await e.page.keyboard.press("Enter");
  await e.at("dialog").waitFor({ state: "hidden" });
  await e.page.keyboard.press("2");
  await e.press("key-4");
  await e.page.keyboard.press("Enter");
  await e.shows(3, 24);
  await e.plays("B");

  // The tablet has no room left: its scorer is told, and goes on. Once there is room, everything is kept.
  await e.page.evaluate(() => {
    const put = IDBObjectStore.prototype.put;
    window.room = false;
    IDBObjectStore.prototype.put = function (...given) {
      const asked = put.apply(this, given);
      if (!window.room) this.transaction.abort();
      return asked;
    };
  });
  await begin(another, "three-cushion", "");
  await e.says("can't keep entries");
  await e.press("plus-1");
  await e.shows(1, 0);
  await e.pending(0);
  await e.shot("no-room");
  network.cut();
  await e.press("plus-2", "miss");
  await e.shows(3, 0);
  await e.pending(2);
  network.mend();
  await e.page.clock.fastForward(10_000);
  await e.pending(0);
  same("what was entered without room", await result(), ["playing", null, [[3, null, null], [0, null, null]]]);
  await e.page.evaluate(() => (window.room = true));
  await e.press("plus-1");
  await e.shows(3, 1);
  await e.page.waitForFunction(() => document.getElementById("problem")?.hidden);
  await e.pending(0);
  network.cut();
  await e.page.reload();
  await e.shows(3, 1);
  network.mend();

  // A browser that keeps nothing at all scores as well, and has its key still in the address.
  const f = await scorer(chromium, TABLET);
  await f.context.addInitScript(() => {
    const denied = () => {
      throw new DOMException("The user denied it.", "SecurityError");
    };
    Object.defineProperty(window, "indexedDB", { get: denied });
  });
  await f.come();
  await f.shows(3, 1);
  same("the address where nothing is kept", f.page.url(), `${origin}/score/${channel}#key=${key}`);
  await f.press("take-over", "accept");
  await f.says("The user denied it");
  await f.press("miss");
  await f.plays("A");
  await f.pending(0);
  same("what is scored by who keeps nothing", (await api(`/${(await api("")).matches[0].match}/events`)).last.epoch, 2);

  // A tablet whose clock is minutes slow, and which begins before the origin could tell: what it entered is put right.
  const g = await scorer(chromium, TABLET);
  await g.page.route("**/v1/**", (route) => route.abort());
  await g.come();
  await g.press("new-match");
  await g.at("name-0").fill("A");
  await g.at("name-1").fill("B");
  await g.at("shot-clock").fill("40");
  await g.press("accept", "plus-1");
  await g.shows(1, 0);
  await g.press("clock-start");
  await g.pending(3);
  await g.page.unroute("**/v1/**");
  await g.page.clock.fastForward(10_000);
  await g.pending(0);
  const slow = (await api("")).matches.reduce((newest, match) => (match.accepted > newest.accepted ? match : newest));
  const late = (await api(`/${slow.match}/events`)).events.map(({ event }) => Math.round((slow.accepted - event.occurred) / 60_000));
  same("how many minutes late it is", late, [0, 0, 0]);
}

const chromium = await browser();
try {
  await work(chromium);
} catch (error) {
  problem(String(error?.stack ?? error));
} finally {
  await chromium.close();
}
for (const { faults, asked, base } of everyone) {
  for (const fault of faults) problem(fault);
  for (const url of asked) {
    if (url.includes(key)) problem(`the key is in ${url}`);
    if (!url.startsWith(base)) problem(`asked of somebody else: ${url}`);
  }
}
report.ok = report.problems.length === 0;
console.log(JSON.stringify(report, null, 2));
process.exitCode = report.ok ? 0 : 1;
