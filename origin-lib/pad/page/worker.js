// Keeps the pad's files, so that the page opens while the network is away. It keeps nothing of the score: that is the page's.

/** The pad's own files, by name. */
const FILES = ["pad.css", "pad.wasm", "main.js", "board.js", "clock.js", "dialogs.js", "dom.js", "follow.js", "items.js", "keeper.js", "origin.js", "pause.js", "rules.js", "scorer.js", "sender.js", "setup.js", "store.js", "terms.js", "texts.js", ...["es", "fr", "ko", "nl", "tr", "vi"].map((language) => `texts.${language}.js`)];

const CACHE = "railbird-pad";

/** How long the network may take before what was kept is used, in milliseconds. */
const NETWORK_MS_MAX = 3_000;

const scope = /** @type {any} */ (self);

scope.addEventListener("install", (/** @type {any} */ event) => {
  event.waitUntil(
    caches
      .open(CACHE)
      .then((cache) => cache.addAll(FILES.map((file) => new Request(`/score/${file}`, { cache: "no-cache" }))))
      .then(() => scope.skipWaiting()),
  );
});

scope.addEventListener("activate", (/** @type {any} */ event) => event.waitUntil(takeIn()));

/** Takes the pages that are open already, and keeps them. */
async function takeIn() {
  await scope.clients.claim();
  const cache = await caches.open(CACHE);
  const pages = await scope.clients.matchAll({ type: "window" });
  await Promise.all(pages.map((/** @type {{ url: string }} */ { url }) => cache.add(plain(url)).catch(() => {})));
}

/** The address without what does not belong to it. @param {string} url */
function plain(url) {
  return new URL(url).pathname;
}

/** The newest version that can be had. @param {Request} request */
async function answer(request) {
  const cache = await caches.open(CACHE);
  const path = plain(request.url);
  try {
    const fresh = await fetch(path, { signal: AbortSignal.timeout(NETWORK_MS_MAX), cache: "no-cache", credentials: "omit" });
    if (fresh.ok) await cache.put(path, fresh.clone());
    if (fresh.status < 500) return fresh;
  } catch {
    // Away: what was kept is as good.
  }
  return (await cache.match(path)) ?? Response.error();
}

scope.addEventListener("fetch", (/** @type {any} */ event) => {
  const { request } = event;
  if (request.method === "GET" && new URL(request.url).pathname.startsWith("/score/")) event.respondWith(answer(request));
});
