/** What this browser stores for one user between two loads of the page. */
import * as database from "./database";
import { restored, type Restored } from "./snapshot";
import { forget, isInMemoryAlone, keys, ofBrowser } from "./storage";

export { Drafts, joined, type Draft, type Edit, type Quoted } from "./drafts.svelte";
export { choosePeople, openedRoom, roomOpenedLast, wantsPeople } from "./choices";
export { recentEmoji, usedEmoji } from "./emoji";
export { StoredOutbox } from "./outbox";
export { SnapshotWriter } from "./snapshot_writer";
export { takeSnapshot, type Restored } from "./snapshot";

/** How long to wait for the database (ms). */
const PATIENCE_MS = 500;

/**
 * Load the stored snapshot; null if there is none, or none that this version of the code can use.
 */
export async function loadSnapshot(): Promise<Restored | null> {
  const late = new Promise<null>((done) => setTimeout(() => done(null), PATIENCE_MS));
  return restored(await Promise.race([database.load().catch(() => null), late]));
}

const TEXTS = ["draft", "edit", "outbox"];

/**
 * Delete everything of a user who has logged out. `here`: also from the memory of this window,
 * which has asked about unsent text. Text that only another window has in memory was not asked
 * about and stays there.
 */
export async function forgetPerson(user: number, here = true): Promise<void> {
  forget((owner) => owner === user, here);
  await forgetSnapshot(user);
}

/** Delete the snapshot; unsent text stays for its author. */
export async function forgetSnapshot(user?: number): Promise<void> {
  await database.wipe(user).catch(() => {});
}

/** True if this user has unsent text in this browser. */
export function hasUnsent(user: number): boolean {
  return TEXTS.some((what) => keys(ofBrowser(), `${what}.${user}.`).length > 0);
}

/** True if this user has unsent text that is lost when the page is closed. */
export const wouldLose = (user: number): boolean => isInMemoryAlone(TEXTS.map((what) => `${what}.${user}.`));

/** True if another user has unsent text in this browser. */
export const othersHaveUnsent = (user: number): boolean =>
  keys(ofBrowser()).some((key) => TEXTS.includes(key.split(".")[0] ?? "") && Number(key.split(".")[1]) !== user);

/**
 * Delete what other users have left in this browser; `texts` says whether their unsent text stays.
 */
export function forgetOthers(user: number, texts: "keep" | "delete"): void {
  forget((owner, what) => owner !== user && (texts === "delete" || !TEXTS.includes(what)));
}
