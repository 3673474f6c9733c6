// Somebody watches with Shaka Player, which is not ours, on a page that is not ours:
// `node steering.mjs READY.json SECONDS steered|led`.
//
// The player gets the first channel by a token in the path, as players that keep no cookies do. Prints `playing` once the
// picture moves, then the node that it comes from; whoever started this drains that node then, or lets it fail. The edge's
// steering manifest must name another pathway first, the player must ask the node for nothing more, and the picture must go
// so many seconds further. One that is `steered` takes its playlist from another pathway. One whose node fails need not: its
// own playlist leads elsewhere, and Shaka is not steered for a minute after it tried a segment in vain (it bans the host of the
// segment, and finds it in each pathway whose playlist has a relative address). Prints what it saw as JSON; exits 0 when all
// was well, else 1.
//
// For how long the picture stood depends on the player: it is told only.
import { moves, site } from "./elsewhere.mjs";
import { PATIENCE_MS, bearer, given, ready, told } from "./viewer.mjs";

const PLAYER = "node_modules/shaka-player/dist/shaka-player.compiled.js";

/** Run in the page: the player plays this address in the page's picture. */
async function play(url) {
  window.shaka.polyfill.installAll();
  const player = new window.shaka.Player();
  await player.attach(document.querySelector("video"));
  await player.load(url);
}

const facts = () => ({ media_s: document.querySelector("video").currentTime, at_ms: performance.now() });

const [path, seconds, way] = given("steering.mjs READY.json SECONDS steered|led", 3);
await told(async ({ report, problem, stranger }) => {
  const demo = await ready(path);
  const { token, channels } = await bearer(demo);
  const [{ id, nodes }] = channels;
  const another = await site(PLAYER);
  try {
    const page = await stranger();
    const asked = [];
    page.on("request", (request) => asked.push(request.url()));
    /** Those of the requests from `from` on that are for a node's objects, and the pathways of those for playlists. */
    const objects = (from) => asked.slice(from).flatMap((url) => nodes.find((node) => url.startsWith(`${node.url}/`))?.id ?? []);
    const pathways = (from) => asked.slice(from).flatMap((url) => new URL(url).pathname.match(/\/live\/[^/]+\/([^/]+)\/[^/]+\.m3u8$/)?.[1] ?? []);
    const steered = [];
    page.on("response", async (response) => {
      if (!new URL(response.url()).pathname.endsWith(`/steer/${id}`)) return;
      const manifest = response.ok() ? await response.json() : {};
      steered.push({ status: response.status(), first: manifest["PATHWAY-PRIORITY"]?.[0], asked: asked.length });
    });
    const until = async (what, so) => {
      for (const ends_ms = Date.now() + PATIENCE_MS; !so(); ) {
        if (Date.now() > ends_ms) throw new Error(`it never happened: ${what}`);
        await page.waitForEvent("request", { timeout: PATIENCE_MS });
      }
    };

    await page.goto(another.url);
    await page.evaluate(play, new URL(`/t/${token}/live/${id}/main.m3u8`, demo.edge).href);
    await page.waitForFunction(moves);
    const first = objects(0).at(-1);
    if (pathways(0).at(-1) !== first) problem(`the playlist of pathway ${pathways(0).at(-1)} leads to node ${first}`);
    const [before, known] = [await page.evaluate(facts), steered.length];
    console.log(`playing\n${first}`);

    const elsewhere = () => steered.slice(known).find((answer) => answer.first !== undefined && answer.first !== first);
    await until("the steering manifest names another pathway first", () => elsewhere() !== undefined);
    const told_at = elsewhere().asked;
    if (way === "steered") {
      await until("the playlist of another pathway is asked for", () => pathways(told_at).some((pathway) => pathway !== first));
    }
    // What it was trying at that moment it may try again; then it goes on with what the new playlist lists.
    const changed_at = asked.length;
    await until("an object of another node is asked for", () => objects(changed_at).some((node) => node !== first));
    const from = asked.length;
    const { media_s } = await page.evaluate(facts);
    await page.waitForFunction((end) => document.querySelector("video").currentTime >= end, media_s + Number(seconds));
    const after = await page.evaluate(facts);
    const still = objects(from).filter((node) => node === first).length;
    if (still > 0) problem(`node ${first} is asked for ${still} objects after the change of pathway`);
    if (objects(from).length === 0) problem("no object was asked for after the change of pathway");
    if (way === "steered" && pathways(from).includes(first)) problem(`the playlist of pathway ${first} is asked for again`);
    for (const { status } of steered) if (status !== 200) problem(`the steering manifest is answered ${status}`);
    if (!asked.some((url) => url.includes("_HLS_pathway"))) problem("the player never said on which pathway it is");
    Object.assign(report, {
      node: first,
      then: elsewhere().first,
      steered: steered.length,
      asked_in_vain: objects(0).slice(0, -objects(from).length).filter((node) => node === first).length,
      asked_afterwards: objects(from).length,
      // What the clock on the wall went on by, and the picture did not.
      stood_ms: Math.max(0, Math.round(after.at_ms - before.at_ms - (after.media_s - before.media_s) * 1000)),
    });
  } finally {
    another.close();
  }
});
