/** What this browser keeps for one person between two loads of the page: drafts, and messages on their way out. */
import type { Outbox } from "./sync/outbox";

const draftKey = (user: number, room: number): string => `hubbub.draft.${user}.${room}`;
const outboxKey = (user: number): string => `hubbub.outbox.${user}`;

export function loadDraft(user: number, room: number): string {
  return read(localStorage, draftKey(user, room)) ?? "";
}

export function saveDraft(user: number, room: number, text: string): void {
  write(localStorage, draftKey(user, room), text || null);
}

/** Of this window: every window sends what was written in it. */
export function loadOutbox(user: number): Outbox {
  try {
    const kept = JSON.parse(read(sessionStorage, outboxKey(user)) ?? "[]") as Outbox;
    return kept.map(({ key, room, body, at }) => ({ key, room, body, at, status: "waiting" }));
  } catch {
    return [];
  }
}

export function saveOutbox(user: number, outbox: Outbox): void {
  const unsent = outbox.filter((one) => one.status !== "sent");
  write(sessionStorage, outboxKey(user), unsent.length ? JSON.stringify(unsent) : null);
}

/** Whoever logs out leaves nothing behind for the next person at this browser. */
export function forgetEverything(): void {
  for (const storage of [localStorage, sessionStorage]) {
    const ours = Array.from({ length: storage.length }, (_, at) => storage.key(at));
    for (const key of ours) if (key?.startsWith("hubbub.")) storage.removeItem(key);
  }
}

function read(storage: Storage, key: string): string | null {
  try {
    return storage.getItem(key);
  } catch {
    return null; // Storage may be switched off: then nothing is kept.
  }
}

function write(storage: Storage, key: string, value: string | null): void {
  try {
    if (value === null) storage.removeItem(key);
    else storage.setItem(key, value);
  } catch {
    // Full or switched off: what is on the screen stays on the screen.
  }
}
