// A name is text, whatever it says: `node names.mjs READY.json NAME SHOT.png`.
//
// Whoever started this has called the event, a channel, a recording, a match and its players NAME, which acts where it is taken
// for markup. Two devices of the pass call themselves so as well. Every page must show it as it is and run nothing of it, and
// the security policy must have had nothing to refuse; so must pages whose address is made by somebody who means no good.
// Exits 0 when all was well, else 1.
import { bearer, given, logIn, playing, ready, told } from "./viewer.mjs";

/** Where somebody may lead a holder, */
const ADDRESSES = [
  "/login?next=%22%3E%3Cscript%3Ewindow.ran=1%3C/script%3E",
  "/login?next=\"><img src=x onerror=window.ran=1>",
  "/login?next=/watch/t%22%20onfocus=window.ran=1%20autofocus=%22",
  "/login?ended=<script>window.ran=1</script>",
  "/login?next=%0d%0aset-cookie:x=y&next=javascript:window.ran=1",
  "/login#<img src=x onerror=window.ran=1>",
  "/reset#<img src=x onerror=window.ran=1>",
  "/reset#javascript:window.ran=1",
  "/forgot?<script>window.ran=1</script>",
  "/watch/t%3Cscript%3E",
];

/** and from where on by the holder's own login. */
const LOGINS = ["javascript:window.ran=1", "//evil.invalid/watch/t", "https://evil.invalid/", "/watch/t/../../api/logout"];

/** Runs before a page's own script: what its policy refuses. */
function watchPolicy() {
  const refused = [];
  Object.defineProperty(window, "refused", { value: refused });
  document.addEventListener("securitypolicyviolation", ({ effectiveDirective, blockedURI }) => refused.push(`${effectiveDirective} ${blockedURI}`));
}

const [path, name, shot] = given("names.mjs READY.json NAME SHOT.png", 3);
await told(async ({ report, problem, person, stranger }) => {
  const demo = await ready(path);
  // That the name acts where it can: else nothing is shown by that it does not.
  const elsewhere = await stranger();
  await elsewhere.evaluate((markup) => (document.body.innerHTML = markup), name);
  await elsewhere.waitForFunction(() => window.ran !== undefined);

  const page = await person([]);
  await page.addInitScript(watchPolicy);
  report.pages = 0;
  const harmless = async (where) => {
    report.pages += 1;
    const { ran, refused, scripts, images } = await page.evaluate(() => ({
      ran: window.ran,
      refused: window.refused,
      scripts: [...document.scripts].map(({ src }) => new URL(src).pathname),
      images: document.querySelectorAll("img, iframe, object, embed").length,
    }));
    if (ran !== undefined) problem(`${where}: it ran`);
    for (const what of refused) problem(`${where}: the policy had to refuse ${what}`);
    if (scripts.join() !== "/assets/app.js" || images > 0) problem(`${where}: scripts ${scripts}, ${images} other elements`);
  };
  const says = async (what, found, expected = name) => {
    const text = typeof found === "string" ? found : await found.textContent();
    if (text !== expected) problem(`${what} says ${JSON.stringify(text)}`);
  };

  const go = async (address) => {
    // From elsewhere: else only the fragment changes, and the page stays.
    await page.goto("about:blank");
    await page.goto(`${demo.edge}${address}`);
  };
  for (const address of ADDRESSES) {
    await go(address);
    if (!address.startsWith("/watch/")) {
      await page.getByRole("heading").first().waitFor();
      await harmless(address);
    } else if (await page.evaluate(() => window.ran !== undefined || document.contentType !== "application/json")) {
      problem(`${address} is a page`);
    }
  }
  for (const next of LOGINS) {
    await go(`/login?next=${next}`);
    await page.getByTestId("email").fill(demo.email);
    await page.getByTestId("password").fill(demo.password);
    await page.keyboard.press("Enter");
    await page.getByTestId("logout").waitFor();
    if (page.url() !== `${demo.edge}/`) problem(`a login before ${next} leads to ${page.url()}`);
    await harmless(`behind a login before ${next}`);
    await page.getByTestId("logout").click();
    await page.waitForURL((url) => url.pathname === "/login");
  }

  await logIn(page, demo);
  await page.getByTestId("replay").first().waitFor();
  await says("the list's heading", page.getByRole("heading", { level: 1 }));
  await says("the list's title", await page.title(), `${name} · Railbird`);
  await says("the channel", page.getByTestId("channel").first().locator(".title"));
  await says("the recording", page.getByTestId("replay").first().locator(".title"));
  await harmless("the list of channels");

  const devices = [await bearer(demo), await bearer(demo)];
  for (const { claim } of devices) await claim(name);
  await page.getByTestId("channel").first().click();
  await page.getByTestId("take-over").first().waitFor();
  await says("a screen", page.getByTestId("screens").locator(".title").first(), name.slice(0, 64).trim());
  await page.screenshot({ path: shot });
  await harmless("the choice of screens");
  await page.keyboard.press("Enter");
  await playing(page);
  await page.getByTestId("score").waitFor();
  await says("a player on the board", page.getByTestId("score-name-0"));
  await says("a player in the sheet", page.getByTestId("score-sheet").getByRole("rowheader").first());
  await says("the match", page.getByTestId("match-title"));
  await says("the channel's page", await page.title(), `${name} · Railbird`);
  await says("the list of channels", page.getByTestId("channels").locator("option").first());
  await harmless("the channel's page");
});
