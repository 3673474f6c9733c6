// A pass holder has forgotten the password: `node forgotten.mjs READY.json PASSWORD SHOTS`.
//
// Somebody is logged in with the old one. The holder asks for a link, as does somebody who has no pass, and both see the same.
// Prints `asked`, and takes the link that came as the next line of its input. It leads to the page that sets PASSWORD; it is
// good once, its secret does not stay in the address bar, whoever was logged in is no longer, and the old password is none any
// more. Keeps pictures of the pages in the folder SHOTS; exits 0 when all was so, else 1.
import { join } from "node:path";
import { createInterface } from "node:readline";
import { given, logIn, ready, told } from "./viewer.mjs";

const [path, password, shots] = given("forgotten.mjs READY.json PASSWORD SHOTS", 3);
await told(async ({ report, problem, person }) => {
  const demo = await ready(path);
  const before = await person([]);
  await logIn(before, demo);
  const page = await person([]);
  const ask = async (email) => {
    await page.goto(new URL("/login", demo.edge).href);
    await page.getByRole("link", { name: "Forgotten your password?" }).click();
    await page.waitForURL((url) => url.pathname === "/forgot");
    await page.getByTestId("email").fill(email);
    await page.screenshot({ path: join(shots, "forgotten.png") });
    await page.keyboard.press("Enter");
    return page.getByTestId("done").innerText();
  };
  const nobody = await ask("nobody@example.org");
  report.answer = await ask(demo.email);
  if (nobody !== report.answer) problem(`somebody without a pass is told ${JSON.stringify(nobody)}`);
  console.log("asked");
  const link = new URL(await new Promise((resolve) => createInterface(process.stdin).once("line", resolve)));
  process.stdin.destroy();

  const follow = async () => {
    // From elsewhere: else only the fragment changes, and the page stays.
    await page.goto("about:blank");
    await page.goto(new URL(`${link.pathname}${link.hash}`, demo.edge).href);
    await page.getByTestId("password").fill(password);
    if (page.url() !== `${demo.edge}/reset`) problem("the link's secret stays in the address bar");
    await page.keyboard.press("Enter");
  };
  await follow();
  await page.getByTestId("done").waitFor();
  await page.screenshot({ path: join(shots, "changed.png") });
  await before.reload();
  await before.waitForURL((url) => url.pathname === "/login");
  await follow();
  await page.getByText("this link was used already").waitFor();
  await page.screenshot({ path: join(shots, "used.png") });
  await page.getByTestId("again").click();
  await page.waitForURL((url) => url.pathname === "/forgot");

  await before.getByTestId("email").fill(demo.email);
  await before.getByTestId("password").fill(demo.password);
  await before.keyboard.press("Enter");
  await before.getByText("E-mail or password is not right.").waitFor();
  for (const one of [before, page]) await logIn(one, { ...demo, password });
});
