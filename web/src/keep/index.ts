/** What this browser keeps for one person between two loads of the page. */
import * as database from "./database";
import { restored, type Restored } from "./picture";
import { forget, keys, ofBrowser } from "./storage";

export { Drafts, joined, type Draft, type Edit, type Quoted } from "./drafts";
export { recentEmoji, usedEmoji } from "./emoji";
export { KeptOutbox } from "./outbox";
export { Keeper } from "./keeper";
export { picture, type Restored } from "./picture";

/** A database that takes longer to answer is not waited for. */
const PATIENCE_MS = 500;

/** What was on the screen here the last time; null if there is nothing, or nothing that this code could go on from. */
export async function lastTime(): Promise<Restored | null> {
  const late = new Promise<null>((done) => setTimeout(() => done(null), PATIENCE_MS));
  return restored(await Promise.race([database.load().catch(() => null), late]));
}

/** Whoever logs out leaves nothing behind for the next person at this browser. */
export async function forgetEverything(): Promise<void> {
  forget(() => true);
  await database.wipe().catch(() => {});
}

/** Everything of one person, who has left for good. */
export async function forgetPerson(user: number): Promise<void> {
  forget((whose) => whose === user);
  await forgetPicture(user);
}

/** What was shown; what was written here waits for its author. */
export async function forgetPicture(user?: number): Promise<void> {
  await database.wipe(user).catch(() => {});
}

/** True if something that this person wrote is here and not sent. */
export function hasUnsent(user: number): boolean {
  return ["draft", "edit", "outbox"].some((what) => keys(ofBrowser(), `${what}.${user}.`).length > 0);
}

/** Somebody has come in: what others have left here is gone. */
export function forgetOthers(user: number): void {
  forget((whose) => whose !== user);
}
