/** The browser's own small storage, which may be full or switched off: then nothing is kept, and nobody is alarmed. */

const OURS = "hubbub.";

export const ofBrowser = (): Storage | null => storage(() => localStorage);
export const ofWindow = (): Storage | null => storage(() => sessionStorage);

export function read(storage: Storage | null, key: string): string | null {
  try {
    return storage?.getItem(key) ?? null;
  } catch {
    return null;
  }
}

/** An empty text and null take the entry away. */
export function write(storage: Storage | null, key: string, value: string | null): void {
  try {
    if (value) storage?.setItem(key, value);
    else storage?.removeItem(key);
  } catch {
    // What is on the screen stays on the screen.
  }
}

/** Our keys that begin with `prefix`. */
export function keys(storage: Storage | null, prefix = OURS): string[] {
  const all = Array.from({ length: storage?.length ?? 0 }, (_, at) => storage?.key(at) ?? "");
  return all.filter((key) => key.startsWith(prefix));
}

/** Take away what is ours; of everybody, or of everybody but one. Keys are `hubbub.WHAT.USER.…`. */
export function forget(storage: Storage | null, spared: number | null = null): void {
  for (const key of keys(storage)) if (spared === null || key.split(".")[2] !== String(spared)) write(storage, key, null);
}

function storage(get: () => Storage): Storage | null {
  try {
    return get();
  } catch {
    return null;
  }
}
