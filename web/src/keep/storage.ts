/** The browser's own small storage, which may be full or switched off: then nothing is kept, and nobody is alarmed. */
import { root } from "../net/places";

// One origin may serve several chats, each under a path of its own.
const ours = (): string => `hubbub:${root().pathname}:`;

export const ofBrowser = (): Storage | null => storage(() => localStorage);
export const ofWindow = (): Storage | null => storage(() => sessionStorage);

/** What the browser calls it. */
export const nameOf = (key: string): string => ours() + key;

/** Keys are `WHAT.USER` or `WHAT.USER.REST`. */
export function read(storage: Storage | null, key: string): string | null {
  try {
    return storage?.getItem(ours() + key) ?? null;
  } catch {
    return null;
  }
}

/** An empty text and null take the entry away. */
export function write(storage: Storage | null, key: string, value: string | null): void {
  try {
    if (value) storage?.setItem(ours() + key, value);
    else storage?.removeItem(ours() + key);
  } catch {
    // What is on the screen stays on the screen.
  }
}

export function keys(storage: Storage | null, prefix = ""): string[] {
  const before = ours();
  const all = Array.from({ length: storage?.length ?? 0 }, (_, at) => storage?.key(at) ?? "");
  return all.filter((key) => key.startsWith(before + prefix)).map((key) => key.slice(before.length));
}

/** Take away what is of the people for whom `whose` is true. */
export function forget(whose: (user: number) => boolean): void {
  for (const storage of [ofBrowser(), ofWindow()]) {
    for (const key of keys(storage)) if (whose(Number(key.split(".")[1]))) write(storage, key, null);
  }
}

function storage(get: () => Storage): Storage | null {
  try {
    return get();
  } catch {
    return null;
  }
}
