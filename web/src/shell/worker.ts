/// <reference lib="webworker" />
/**
 * The service worker: caches the page and its assets, so that the chat opens while the server is
 * unreachable.
 *
 * The page comes from the server whenever that answers in time, so that no user continues with an
 * old one. Assets have a hash in their names, so a cached one is always right. Nothing else is
 * cached: no API responses, no user data.
 */
const worker = self as unknown as ServiceWorkerGlobalScope;

const PAGE = worker.registration.scope;
const ASSETS = new URL("assets/", PAGE).href;
/** Caches belong to the origin, which may serve several chats. */
const CACHE = `hubbub ${new URL(PAGE).pathname}`;
/** How long the server may take before the cached page is shown (ms). */
const PATIENCE_MS = 1_500;
/** The page names all assets: those it needs at once, and those loaded on demand. */
const NAMED = /\.\/(assets\/[^"\s]+)/g;

worker.addEventListener("install", (event) => event.waitUntil(install()));
worker.addEventListener("activate", (event) => event.waitUntil(worker.clients.claim()));
worker.addEventListener("fetch", (event) => {
  const { method, mode, url } = event.request;
  if (method !== "GET") return;
  const target = url.replace(/[?#].*$/, "");
  if (mode === "navigate" && target === PAGE) event.respondWith(page(event));
  else if (target === url && url.startsWith(ASSETS)) event.respondWith(asset(event));
});

async function install(): Promise<void> {
  const before = await entries();
  await remember(await fetch(PAGE, { headers: { Accept: "text/html" }, cache: "no-cache" }), before);
  await worker.skipWaiting();
}

async function page(event: FetchEvent): Promise<Response> {
  const before = entries();
  const asked = fetch(event.request);
  // A proxy in front of an unreachable server answers in its place.
  const fresh = asked.then(
    (answer) => (answer.status < 500 ? answer : null),
    () => null,
  );
  const copy = fresh.then((answer) => answer?.clone());
  event.waitUntil(copy.then(async (answer) => answer && remember(answer, await before)).catch(() => {}));
  const kept = await known(PAGE);
  if (!kept) return (await fresh) ?? asked;
  const late = new Promise<null>((done) => setTimeout(() => done(null), PATIENCE_MS));
  return (await Promise.race([fresh, late])) ?? kept;
}

async function asset(event: FetchEvent): Promise<Response> {
  const kept = await known(event.request.url);
  if (kept) return kept;
  const answer = await fetch(event.request);
  if (answer.ok) {
    const copy = answer.clone();
    event.waitUntil(
      caches
        .open(CACHE)
        .then((cache) => cache.put(event.request.url, copy))
        .catch(() => {}),
    );
  }
  return answer;
}

/**
 * Cache the assets of the new page, then the page, then delete assets that only older pages needed.
 */
async function remember(answer: Response, before: readonly string[]): Promise<void> {
  if (!answer.ok || answer.redirected || !answer.headers.get("content-type")?.startsWith("text/html")) return;
  const text = await answer.clone().text();
  if (text === (await (await known(PAGE))?.text())) return;
  const cache = await caches.open(CACHE);
  const needed = [...new Set(Array.from(text.matchAll(NAMED), ([, name]) => new URL(name ?? "", PAGE).href))];
  await cache.addAll(needed);
  await cache.put(PAGE, answer);
  for (const url of before) if (url !== PAGE && !needed.includes(url)) await cache.delete(url, { ignoreVary: true });
}

async function entries(): Promise<string[]> {
  return (await (await caches.open(CACHE)).keys()).map(({ url }) => url);
}

// The page varies by `Accept` (programs get a text greeting), and navigations send different values
// of it.
async function known(url: string): Promise<Response | undefined> {
  return (await caches.open(CACHE)).match(url, { ignoreVary: true });
}
