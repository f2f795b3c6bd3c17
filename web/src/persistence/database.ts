/**
 * The browser's database (IndexedDB) holds one picture, of one person. Whoever writes shows the claim under which he
 * came in, in the same transaction: a window that has slept through a log-out cannot bring back what was wiped.
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

/** One origin may serve several chats, each under a path of its own. */
function database(): Promise<IDBPDatabase<Schema>> {
  const lost = (): void => void (opened = undefined);
  opened ??= openDB<Schema>(`hubbub ${root().pathname}`, 1, {
    upgrade(fresh) {
      fresh.createObjectStore("claim");
      fresh.createObjectStore("picture");
    },
    // Somebody wants to delete the database, or a later version of this code to change it.
    blocking: (_from, _to, event) => (lost(), (event.target as IDBDatabase).close()),
    terminated: lost,
  });
  opened.catch(lost);
  return opened;
}

/** The picture of whoever was here last; null if there is none. */
export async function load(): Promise<Snapshot | null> {
  const transaction = (await database()).transaction(["claim", "picture"]);
  const [claim, picture] = await Promise.all([
    transaction.objectStore("claim").get("now"),
    transaction.objectStore("picture").get("now"),
  ]);
  return picture && picture.user === claim?.user ? picture : null;
}

/** What has to be shown to write. The windows of one person share it; what another one has left is gone with it. */
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

/** False if the claim has been ended since. */
export async function save(token: string, picture: Snapshot): Promise<boolean> {
  const transaction = (await database()).transaction(["claim", "picture"], "readwrite");
  const known = await transaction.objectStore("claim").get("now");
  if (known?.token !== token) return false;
  await transaction.objectStore("picture").put(picture, "now");
  await transaction.done;
  return true;
}

/** Take away what is of this person, or of whoever it is; and end the claim. */
export async function wipe(user?: number): Promise<void> {
  const transaction = (await database()).transaction(["claim", "picture"], "readwrite");
  const known = await transaction.objectStore("claim").get("now");
  if (user !== undefined && known && known.user !== user) return;
  await transaction.objectStore("picture").clear();
  await transaction.objectStore("claim").clear();
  await transaction.done;
}
