/**
 * The browser's own small storage, which may be full or switched off. What it does not take is kept in the page's memory,
 * for as long as the page is open.
 */
import { root } from "../net/urls";

// One origin may serve several chats, each under a path of its own.
const ours = (): string => `hubbub:${root().pathname}:`;

export const ofBrowser = (): Storage | null => storage(() => localStorage);
export const ofWindow = (): Storage | null => storage(() => sessionStorage);

/** What the browser did not take. */
const refused = new Map<string, string>();

/** What the browser calls it. */
export const nameOf = (key: string): string => ours() + key;

/** Keys are `WHAT.USER` or `WHAT.USER.REST`. */
export const read = (storage: Storage | null, key: string): string | null => refused.get(key) ?? stored(storage, key);

/** What all windows of this browser can read. */
export function stored(storage: Storage | null, key: string): string | null {
  try {
    return storage?.getItem(ours() + key) ?? null;
  } catch {
    return null;
  }
}

/** An empty text and null take the entry away. False if the browser did not take it, and it is in memory alone. */
export function write(storage: Storage | null, key: string, value: string | null): boolean {
  refused.delete(key);
  try {
    if (!value) storage?.removeItem(ours() + key);
    else if (storage) storage.setItem(ours() + key, value);
    else refused.set(key, value);
  } catch {
    if (value) refused.set(key, value);
  }
  return !refused.has(key);
}

/** True if something with one of these prefixes is lost when the page is closed. */
export const isInMemoryAlone = (prefixes: readonly string[]): boolean =>
  [...refused.keys()].some((key) => prefixes.some((prefix) => key.startsWith(prefix)));

export function keys(storage: Storage | null, prefix = ""): string[] {
  const before = ours();
  const all = Array.from({ length: storage?.length ?? 0 }, (_, at) => storage?.key(at) ?? "");
  const there = all.filter((key) => key.startsWith(before)).map((key) => key.slice(before.length));
  return [...new Set([...there, ...refused.keys()])].filter((key) => key.startsWith(prefix));
}

/** Take away what `which` is true for, out of the browser and, unless `inMemory` is false, out of the page. */
export function forget(which: (user: number, what: string) => boolean, inMemory = true): void {
  for (const storage of [ofBrowser(), ofWindow()]) {
    for (const key of keys(storage)) {
      const [what = "", user] = key.split(".");
      if (!which(Number(user), what)) continue;
      const text = inMemory ? undefined : refused.get(key);
      write(storage, key, null);
      if (text !== undefined) refused.set(key, text);
    }
  }
}

function storage(get: () => Storage): Storage | null {
  try {
    return get();
  } catch {
    return null;
  }
}
