// A pass that plays on two devices is used on three: `node screens.mjs READY.json SHOT.png`.
//
// Two people watch. A third is asked which of them to stop, and plays once one is chosen; the one that was chosen is told, its
// picture has stopped, and its way back leads to the same question; the other one notices nothing. Prints what it saw as JSON
// and keeps a picture of the question; exits 0 when all was well, else 1.
import { given, logIn, openFirstChannel, playing, ready, told } from "./viewer.mjs";

const video = () => {
  const { currentTime, readyState, paused } = document.querySelector("video");
  return { media_s: currentTime, empty: readyState === 0, paused };
};

const [path, shot] = given("screens.mjs READY.json SHOT.png", 2);
await told(async ({ report, problem, person }) => {
  const loggedIn = async () => {
    const page = await person([]);
    await logIn(page, await ready(path));
    return page;
  };
  const [first, second] = [await loggedIn(), await loggedIn()];
  await openFirstChannel(first);
  await openFirstChannel(second);
  const third = await loggedIn();
  await third.getByTestId("channel").first().click();
  await third.getByTestId("take-over").first().waitFor();
  await third.screenshot({ path: shot });
  report.asked = await third.getByTestId("screens").innerText();
  if ((await third.getByTestId("take-over").count()) !== 2) problem("it is not asked which of two to stop");
  if (!(await third.evaluate(video)).empty) problem("it plays before the choice");
  // The keyboard is on the first choice, who has watched longest.
  await third.keyboard.press("Enter");
  await playing(third);
  const before = await second.evaluate(video);

  await first.getByTestId("play-here").waitFor();
  if (!(await first.evaluate(video)).empty) problem("the picture of the stopped one goes on");
  await first.keyboard.press("Enter");
  await first.getByTestId("take-over").first().waitFor();

  await second.waitForFunction((until) => window.railbird.stats.mediaTime >= until, before.media_s + 2);
  const after = await second.evaluate(video);
  const asked = await second.getByTestId("play-here").isVisible();
  if (after.empty || after.paused || asked) problem("the one that nobody stopped noticed");
});
