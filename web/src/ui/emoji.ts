/** Emoji by category and name. The data is a separate chunk, loaded on first use. */
import { importIfReachable } from "./lazy.svelte";

export interface Emoji {
  readonly emoji: string;
  readonly label: string;
  /** The names between colons, the usual one first. */
  readonly names: readonly string[];
  readonly tags: readonly string[];
}
export type Groups = readonly (readonly Emoji[])[];

export const GROUPS = [
  ["Smileys", "😀"],
  ["People", "👋"],
  ["Animals and nature", "🐻"],
  ["Food and drink", "🍎"],
  ["Travel and places", "🚗"],
  ["Activities", "⚽"],
  ["Objects", "💡"],
  ["Symbols", "❤️"],
  ["Flags", "🏁"],
] as const;

let loaded: Promise<Groups> | undefined;

/** Load all emoji; a failed load is tried again the next time. */
export function loadEmoji(): Promise<Groups> {
  loaded ??= importIfReachable(() => import("virtual:emoji")).then(({ default: groups }) =>
    groups.map((group) => group.map(([emoji, label, names, tags]) => ({ emoji, label, names: names.split(" "), tags: tags.split(" ") }))),
  );
  loaded.catch(() => (loaded = undefined));
  return loaded;
}

/** Search emoji, the best match first; among equal matches, recently used ones. */
export function search(groups: Groups, query: string, recent: readonly string[], most: number): Emoji[] {
  const wanted = query.toLowerCase().replaceAll(" ", "_");
  const found: { one: Emoji; rank: number }[] = [];
  for (const group of groups) {
    for (const one of group) {
      const rank = rankOf(one, wanted);
      if (rank !== null) found.push({ one, rank: 2 * rank - Number(recent.includes(one.emoji)) });
    }
  }
  return found
    .sort((a, b) => a.rank - b.rank)
    .slice(0, most)
    .map(({ one }) => one);
}

/** Rank a match: 0 is the name itself; null is no match. */
function rankOf({ names, label, tags }: Emoji, wanted: string): number | null {
  if (names.includes(wanted)) return 0;
  if (names.some((name) => name.startsWith(wanted))) return 1;
  if (names.some((name) => name.includes(`_${wanted}`))) return 2;
  const words = label.toLowerCase().replaceAll(" ", "_");
  if (words.startsWith(wanted) || words.includes(`_${wanted}`)) return 2;
  return tags.some((tag) => tag.startsWith(wanted)) ? 3 : null;
}

/** Return the recently used emoji that are known. */
export function known(groups: Groups, recent: readonly string[]): Emoji[] {
  const all = new Map(groups.flat().map((one) => [one.emoji, one]));
  return recent.flatMap((emoji) => all.get(emoji) ?? []);
}
