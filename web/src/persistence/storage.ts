/**
 * Web Storage, which may be full or disabled. Values that it refuses are held in the page's memory
 * while the page is open.
 */
import { root } from "../net/urls";

// One origin may serve several chats under different paths.
const prefixOfChat = (): string => `hubbub:${root().pathname}:`;

export const ofBrowser = (): Storage | null => storage(() => localStorage);
export const ofWindow = (): Storage | null => storage(() => sessionStorage);

/** Values that the browser refused to store. */
const refused = new Map<string, string>();

/** Return the full name of a key in Web Storage. */
export const nameOf = (key: string): string => prefixOfChat() + key;

/** Read a value. Keys are `WHAT.USER` or `WHAT.USER.REST`. */
export const read = (storage: Storage | null, key: string): string | null => refused.get(key) ?? stored(storage, key);

/** Read a value that all windows of this browser share. */
export function stored(storage: Storage | null, key: string): string | null {
  try {
    return storage?.getItem(prefixOfChat() + key) ?? null;
  } catch {
    return null;
  }
}

/**
 * Write a value; an empty text or null deletes it. Return false if the browser refused it, so that
 * it is only in memory.
 */
export function write(storage: Storage | null, key: string, value: string | null): boolean {
  refused.delete(key);
  try {
    if (!value) storage?.removeItem(prefixOfChat() + key);
    else if (storage) storage.setItem(prefixOfChat() + key, value);
    else refused.set(key, value);
  } catch {
    if (value) refused.set(key, value);
  }
  return !refused.has(key);
}

/** True if a value with one of these prefixes is lost when the page is closed. */
export const isInMemoryAlone = (prefixes: readonly string[]): boolean =>
  [...refused.keys()].some((key) => prefixes.some((prefix) => key.startsWith(prefix)));

export function keys(storage: Storage | null, prefix = ""): string[] {
  const before = prefixOfChat();
  const all = Array.from({ length: storage?.length ?? 0 }, (_, at) => storage?.key(at) ?? "");
  const there = all.filter((key) => key.startsWith(before)).map((key) => key.slice(before.length));
  return [...new Set([...there, ...refused.keys()])].filter((key) => key.startsWith(prefix));
}

/**
 * Delete entries for which `which` returns true, from the browser and, unless `inMemory` is false,
 * from the page's memory.
 */
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
