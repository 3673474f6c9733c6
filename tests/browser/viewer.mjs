// What the browser scripts share: the ready file, the browser, and what a person does on the pages.
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

/** A headless Chromium that talks to nobody but the pages. `CHROMIUM` names another one. */
export async function browser() {
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
    ],
  });
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
