/** Emoji by category and by name. The data is a chunk of its own, loaded when the first one is looked for. */
import { carefully } from "./lazy.svelte";

export interface Emoji {
  readonly emoji: string;
  readonly label: string;
  /** What stands between colons, the usual one first. */
  readonly names: readonly string[];
  readonly tags: readonly string[];
}
export type Groups = readonly (readonly Emoji[])[];

export const GROUPS = [
  ["Smileys", "😀"], ["People", "👋"], ["Animals and nature", "🐻"], ["Food and drink", "🍎"], ["Travel and places", "🚗"],
  ["Activities", "⚽"], ["Objects", "💡"], ["Symbols", "❤️"], ["Flags", "🏁"],
] as const;

let loaded: Promise<Groups> | undefined;

/** All of them; a load that failed is tried again the next time. */
export function loadEmoji(): Promise<Groups> {
  loaded ??= carefully(() => import("virtual:emoji")).then(({ default: groups }) =>
    groups.map((group) => group.map(([emoji, label, names, tags]) => ({ emoji, label, names: names.split(" "), tags: tags.split(" ") }))),
  );
  loaded.catch(() => (loaded = undefined));
  return loaded;
}

/** The best first; of equally good ones those that were used lately. */
export function search(groups: Groups, query: string, recent: readonly string[], most: number): Emoji[] {
  const wanted = query.toLowerCase().replaceAll(" ", "_");
  const found: { one: Emoji; rank: number }[] = [];
  for (const group of groups) {
    for (const one of group) {
      const rank = rankOf(one, wanted);
      if (rank !== null) found.push({ one, rank: 2 * rank - Number(recent.includes(one.emoji)) });
    }
  }
  return found.sort((a, b) => a.rank - b.rank).slice(0, most).map(({ one }) => one);
}

/** How well it fits: 0 is the name itself; null if not at all. */
function rankOf({ names, label, tags }: Emoji, wanted: string): number | null {
  if (names.includes(wanted)) return 0;
  if (names.some((name) => name.startsWith(wanted))) return 1;
  if (names.some((name) => name.includes(`_${wanted}`))) return 2;
  const words = label.toLowerCase().replaceAll(" ", "_");
  if (words.startsWith(wanted) || words.includes(`_${wanted}`)) return 2;
  return tags.some((tag) => tag.startsWith(wanted)) ? 3 : null;
}

/** Those that were used lately, as far as they are known. */
export function known(groups: Groups, recent: readonly string[]): Emoji[] {
  const all = new Map(groups.flat().map((one) => [one.emoji, one]));
  return recent.flatMap((emoji) => all.get(emoji) ?? []);
}
