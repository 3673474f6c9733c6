// What the browser scripts share: the ready file, the browser, and what a person does on the pages.
import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { chromium } from "playwright-core";

/** How long a page may take for what a script waits for, in milliseconds. A bound, never a measure. */
export const PATIENCE_MS = 60_000;

/** The file that `railbird demo --ready-file` writes. */
export async function ready(path) {
  const facts = JSON.parse(await readFile(path, "utf8"));
  for (const name of ["edge", "origin", "email", "password"]) {
    if (typeof facts[name] !== "string") throw new Error(`${path}: ${name} is missing; was it written by railbird demo?`);
  }
  return facts;
}

/** A headless Chromium that talks to nobody but the pages. `CHROMIUM` names another one; `more` are further switches. */
export async function browser(more = []) {
  return chromium.launch({
    executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
      "--mute-audio",
      ...more,
    ],
  });
}

/** Who stands with more media in hand than this, in seconds, is held up by a busy machine. */
const IN_HAND_S = 0.5;

/** A player that moves its picture by no more than this, in seconds, helps it over a place where it stands, or where another rendition goes on. */
export const LEAP_S = 0.5;

/**
 * Runs before a page's own script: keeps what the media element says, in `window.seen`, how much media it had in hand then, and whether
 * the picture `starves`: it stands for want of media; and of each time that it is told to go to another place, in `window.leaps`, from
 * where to where, in seconds.
 */
function keep([types, in_hand_s]) {
  const [seen, leaps] = [[], []];
  Object.defineProperties(window, { seen: { value: seen }, leaps: { value: leaps } });
  const { get, set } = Object.getOwnPropertyDescriptor(HTMLMediaElement.prototype, "currentTime");
  Object.defineProperty(HTMLMediaElement.prototype, "currentTime", {
    get,
    set(to_s) {
      leaps.push([get.call(this), to_s]);
      set.call(this, to_s);
    },
  });
  for (const type of types) {
    // Captured on the document: media events don't bubble.
    document.addEventListener(
      type,
      ({ target }) => {
        if (!(target instanceof HTMLVideoElement)) return;
        const { buffered, currentTime: media_s } = target;
        const ranges = Array.from({ length: buffered.length }, (_, n) => [buffered.start(n), buffered.end(n)]);
        const ahead_s = (ranges.find(([from, to]) => from <= media_s && media_s <= to)?.[1] ?? media_s) - media_s;
        // Who goes to another place waits there.
        const starves = type === "waiting" && !target.seeking && ahead_s < in_hand_s;
        seen.push({ type, media_s, ahead_s, starves, at_ms: Math.round(performance.now()) });
      },
      true,
    );
  }
}

/**
 * A script's work: it gets `report` to fill, `problem` to say what is wrong, `person` for a page of somebody with a browser
 * of their own, on which media events of these types are kept, and `stranger` for an empty page of somebody who does not come
 * to ours. Prints the report as JSON; the script exits 0 when there was no problem, and 1 otherwise.
 */
export async function told(work) {
  const report = { ok: false, problems: [] };
  const problem = (text) => report.problems.push(text);
  const chromium = await browser();
  const everyone = [];
  const come = async () => open(await chromium.newContext({ viewport: { width: 1280, height: 800 } }));
  const person = async (types) => {
    const opened = await come();
    everyone.push(opened);
    await opened.page.addInitScript(keep, [types, IN_HAND_S]);
    return opened.page;
  };
  const stranger = async () => (await come()).page;
  try {
    await work({ report, problem, person, stranger });
    // A pass has a few screens: whoever watches next needs this one's, which a browser that is killed does not give back.
    for (const { page } of everyone) {
      await page.getByTestId("logout").click();
      await page.waitForURL((url) => url.pathname === "/login");
    }
  } catch (error) {
    problem(String(error?.message ?? error));
  } finally {
    await chromium.close();
  }
  for (const { faults } of everyone) for (const fault of faults) problem(fault);
  report.ok = report.problems.length === 0;
  console.log(JSON.stringify(report, null, 2));
  process.exitCode = report.ok ? 0 : 1;
}

/** The arguments of a script; without so many of them it says how it is used. */
export function given(usage, count) {
  const found = process.argv.slice(2);
  if (found.length >= count && found.every((argument) => argument !== "")) return found;
  console.error(`usage: node ${usage}`);
  process.exit(2);
}

/** A page whose script errors and security refusals are kept in `faults`. */
export async function open(context) {
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE_MS);
  const faults = [];
  page.on("pageerror", (error) => faults.push(String(error)));
  page.on("console", (message) => {
    if (message.type() === "error" && /Content Security Policy|Refused to/.test(message.text())) faults.push(message.text());
  });
  return { page, faults };
}

/** Logs in as a person does: with the keyboard, in the form, starting from the front page. */
export async function logIn(page, { edge, email, password }) {
  await page.goto(new URL("/", edge).href);
  await page.waitForURL((url) => url.pathname === "/login");
  await page.getByTestId("email").waitFor();
  await page.getByTestId("email").fill(email);
  await page.keyboard.press("Tab");
  await page.keyboard.type(password);
  await page.keyboard.press("Enter");
  await page.waitForURL((url) => url.pathname === "/");
}

/** A session of somebody without a browser: its token, the channels, and how it claims a screen by this name, and ends. */
export async function bearer({ edge, email, password }) {
  const asked = async (path, init) => {
    const answer = await fetch(new URL(path, edge), init);
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${(await answer.text()).slice(0, 200)}`);
    return answer.status === 204 ? null : answer.json();
  };
  const post = (said, headers = {}) => ({
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify(said),
  });
  const { token } = await asked("/api/login", post({ email, password }));
  const headers = { cookie: `__Host-railbird=${token}` };
  const { channels } = await asked("/api/channels", { headers });
  const claim = (name) => asked("/api/screens", post({ screen: randomBytes(16).toString("base64url"), name }, headers));
  const leave = () => asked("/api/logout", post({}, headers));
  return { token, channels, claim, leave };
}

/** Opens the first channel of the list and waits until its picture moves. */
export async function openFirstChannel(page) {
  await page.getByTestId("channel").first().click();
  await page.waitForURL((url) => url.pathname.startsWith("/watch/"));
  await playing(page);
}

/** Waits until the picture moves. */
export async function playing(page) {
  await page.waitForFunction(() => {
    const video = document.querySelector("video");
    return video !== null && !video.paused && video.readyState >= 3 && video.currentTime > 0 && window.railbird?.stats.node;
  });
}

/** The demo's control: takes a node `down` or brings it `up`. */
export async function node(origin, id, to) {
  const url = new URL(`/demo/nodes/${encodeURIComponent(id)}/${to}`, origin);
  const response = await fetch(url, { method: "POST", headers: { "railbird-demo": "1" } });
  if (!response.ok) throw new Error(`POST ${url}: ${response.status} ${(await response.text()).slice(0, 200)}`);
}
