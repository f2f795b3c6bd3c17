/**
 * The browser's database (IndexedDB) holds one snapshot of one user. A writer presents the claim
 * token it got at start, in the same transaction: a window that slept through a log-out cannot
 * restore wiped data.
 */
import { openDB, type DBSchema, type IDBPDatabase } from "idb";
import { randomKey } from "../net/keys";
import { root } from "../net/urls";
import type { Snapshot } from "./snapshot";

interface Schema extends DBSchema {
  claim: { key: "now"; value: { user: number; token: string } };
  picture: { key: "now"; value: Snapshot };
}

let opened: Promise<IDBPDatabase<Schema>> | undefined;

/** One origin may serve several chats under different paths. */
function database(): Promise<IDBPDatabase<Schema>> {
  const lost = (): void => void (opened = undefined);
  opened ??= openDB<Schema>(`hubbub ${root().pathname}`, 1, {
    upgrade(fresh) {
      fresh.createObjectStore("claim");
      fresh.createObjectStore("picture");
    },
    // Another window wants to delete the database, or a newer version of this code wants to upgrade
    // it.
    blocking: (_from, _to, event) => (lost(), (event.target as IDBDatabase).close()),
    terminated: lost,
  });
  opened.catch(lost);
  return opened;
}

/** Return the snapshot of the last user, or null. */
export async function load(): Promise<Snapshot | null> {
  const transaction = (await database()).transaction(["claim", "picture"]);
  const [claim, snapshot] = await Promise.all([transaction.objectStore("claim").get("now"), transaction.objectStore("picture").get("now")]);
  return snapshot && snapshot.user === claim?.user ? snapshot : null;
}

/**
 * Return the token required to write. All windows of one user share it; claiming deletes another
 * user's snapshot.
 */
export async function claim(user: number): Promise<string> {
  const transaction = (await database()).transaction(["claim", "picture"], "readwrite");
  const known = await transaction.objectStore("claim").get("now");
  if (known?.user === user) return known.token;
  const token = randomKey();
  await transaction.objectStore("picture").clear();
  await transaction.objectStore("claim").put({ user, token }, "now");
  await transaction.done;
  return token;
}

/** Store a snapshot. Return false if the claim has ended. */
export async function save(token: string, snapshot: Snapshot): Promise<boolean> {
  const transaction = (await database()).transaction(["claim", "picture"], "readwrite");
  const known = await transaction.objectStore("claim").get("now");
  if (known?.token !== token) return false;
  await transaction.objectStore("picture").put(snapshot, "now");
  await transaction.done;
  return true;
}

/** Delete the snapshot of this user, or of any user, and end the claim. */
export async function wipe(user?: number): Promise<void> {
  const transaction = (await database()).transaction(["claim", "picture"], "readwrite");
  const known = await transaction.objectStore("claim").get("now");
  if (user !== undefined && known && known.user !== user) return;
  await transaction.objectStore("picture").clear();
  await transaction.objectStore("claim").clear();
  await transaction.done;
}
