// Pictures of the pages, wide and on phones, by day and by night: `node shots.mjs READY.json OUTDIR`. `demo.png` is the README's.
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { bearer, browser, logIn, open, openFirstChannel, playing, ready } from "./viewer.mjs";

const SCREENS = {
  wide: { viewport: { width: 1280, height: 860 } },
  phone: { viewport: { width: 390, height: 844 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true },
  "phone-side": { viewport: { width: 844, height: 390 }, deviceScaleFactor: 2, isMobile: true, hasTouch: true },
};

const [path, out] = process.argv.slice(2);
if (path === undefined || out === undefined) {
  console.error("usage: node shots.mjs READY.json OUTDIR");
  process.exit(2);
}
const demo = await ready(path);
await mkdir(out, { recursive: true });
const chromium = await browser();
try {
  for (const [screen, options] of Object.entries(SCREENS)) {
    for (const scheme of ["light", "dark"]) {
      const context = await chromium.newContext({ ...options, colorScheme: scheme });
      const { page, faults } = await open(context);
      const shot = (name) => page.screenshot({ path: join(out, `${name}-${screen}-${scheme}.png`) });
      await page.goto(new URL("/login", demo.edge).href);
      await page.getByTestId("email").waitFor();
      await shot("login");
      await logIn(page, demo);
      await page.getByTestId("channel").first().waitFor();
      await shot("home");
      await openFirstChannel(page);
      await page.getByTestId("score").waitFor();
      await shot("watch");
      if (screen === "wide" && scheme === "light") {
        await page.getByTestId("unmute").click();
        await page.mouse.move(0, 0);
        await page.evaluate(() => document.activeElement instanceof HTMLElement && document.activeElement.blur());
        await page.screenshot({ path: join(out, "demo.png") });
      }
      // As many play as may: this page, and somebody else.
      const other = await bearer(demo);
      await other.claim("Firefox on Linux");
      const third = await context.newPage();
      await third.goto(page.url());
      await third.getByTestId("take-over").first().waitFor();
      await third.screenshot({ path: join(out, `screens-${screen}-${scheme}.png`) });
      await third.getByTestId("take-over").first().click();
      await page.bringToFront();
      await page.getByTestId("play-here").waitFor();
      await shot("stopped");
      await third.close();
      await other.leave();
      await page.getByTestId("play-here").click();
      await playing(page);
      await context.clearCookies();
      await page.getByTestId("email").waitFor();
      await shot("expired");
      await page.getByTestId("email").fill(demo.email);
      await page.getByTestId("password").fill(demo.password);
      await page.keyboard.press("Enter");
      await page.getByTestId("email").waitFor({ state: "detached" });
      await page.getByTestId("logout").click();
      await page.waitForURL((url) => url.pathname === "/login");
      for (const fault of faults) throw new Error(`${screen} ${scheme}: ${fault}`);
      await context.close();
    }
  }
} finally {
  await chromium.close();
}
