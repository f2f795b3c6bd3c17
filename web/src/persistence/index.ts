/** What this browser keeps for one person between two loads of the page. */
import * as database from "./database";
import { restored, type Restored } from "./snapshot";
import { forget, isInMemoryAlone, keys, ofBrowser } from "./storage";

export { Drafts, joined, type Draft, type Edit, type Quoted } from "./drafts.svelte";
export { recentEmoji, usedEmoji } from "./emoji";
export { StoredOutbox } from "./outbox";
export { SnapshotWriter } from "./snapshot_writer";
export { takeSnapshot, type Restored } from "./snapshot";

/** A database that takes longer to answer is not waited for. */
const PATIENCE_MS = 500;

/** What was on the screen here the last time; null if there is nothing, or nothing that this code could go on from. */
export async function loadSnapshot(): Promise<Restored | null> {
  const late = new Promise<null>((done) => setTimeout(() => done(null), PATIENCE_MS));
  return restored(await Promise.race([database.load().catch(() => null), late]));
}

const TEXTS = ["draft", "edit", "outbox"];

/**
 * Everything of a user who has logged out. `here`: in this window, which asked about all that is not sent; what is in the
 * memory of another window alone was not asked about and stays there.
 */
export async function forgetPerson(user: number, here = true): Promise<void> {
  forget((whose) => whose === user, here);
  await forgetSnapshot(user);
}

/** What was shown; what was written here waits for its author. */
export async function forgetSnapshot(user?: number): Promise<void> {
  await database.wipe(user).catch(() => {});
}

/** True if something that this person wrote is here and not sent. */
export function hasUnsent(user: number): boolean {
  return TEXTS.some((what) => keys(ofBrowser(), `${what}.${user}.`).length > 0);
}

/** True if something that this user wrote is lost when the page is closed. */
export const wouldLose = (user: number): boolean => isInMemoryAlone(TEXTS.map((what) => `${what}.${user}.`));

/** True if another user has left something here that is not sent. */
export const othersHaveUnsent = (user: number): boolean =>
  keys(ofBrowser()).some((key) => TEXTS.includes(key.split(".")[0] ?? "") && Number(key.split(".")[1]) !== user);

/** A user has logged in: what others have left here is gone, except `texts` that were never sent. */
export function forgetOthers(user: number, texts: "keep" | "delete"): void {
  forget((whose, what) => whose !== user && (texts === "delete" || !TEXTS.includes(what)));
}
