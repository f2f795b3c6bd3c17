/**
 * A hash of all sources that define a stored snapshot, so that a changed client ignores old
 * snapshots.
 */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";

const inFolder = (folder) =>
  readdirSync(new URL(folder, import.meta.url))
    .sort()
    .map((name) => `${folder}/${name}`);

export function shape() {
  const hash = createHash("sha256");
  for (const file of ["src/contract.ts", ...inFolder("src/state"), ...inFolder("src/sync"), "src/persistence/snapshot.ts"]) {
    hash
      .update(file)
      .update("\0")
      .update(readFileSync(new URL(file, import.meta.url)));
  }
  return hash.digest("hex").slice(0, 16);
}
