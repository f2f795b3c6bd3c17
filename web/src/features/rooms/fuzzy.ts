/** Fuzzy search: names that match a few letters, the best match first. Pure. */

const WORD = 8;
const RUN = 4;
const BEGINNING = 12;
const NONE = Number.NEGATIVE_INFINITY;

/**
 * Score how well `query` matches `name`: its letters must occur in order. Matches at the start of
 * words and in a row score higher.
 */
export function score(query: string, name: string): number {
  const wanted = folded(query);
  const text = folded(name);
  if (!wanted) return 0;
  const whole = text.indexOf(wanted);
  if (whole === 0) return BEGINNING + wanted.length * (RUN + 1) + WORD - text.length / 100;
  let [at, found, before] = [0, 0, -2];
  for (const letter of wanted) {
    at = text.indexOf(letter, at);
    if (at < 0) return NONE;
    const begins = at === 0 || /[^\p{L}\p{N}]/u.test(text.charAt(at - 1));
    found += 1 + (begins ? WORD : 0) + (at === before + 1 ? RUN : 0);
    before = at++;
  }
  const inside = whole > 0 ? wanted.length * RUN : 0;
  return found + inside - text.length / 100;
}

export function best<T>(query: string, items: readonly T[], nameOf: (item: T) => string, most: number): T[] {
  const scored = items.map((item) => ({ item, points: score(query, nameOf(item)) }));
  const found = scored.filter(({ points }) => points > NONE);
  return found
    .sort((a, b) => b.points - a.points)
    .slice(0, most)
    .map(({ item }) => item);
}

interface Keyed {
  readonly key: string;
}

/**
 * Join the best local matches with those of the server, without repeating any. The server also
 * matches look-alike letters, which score as little as any match here.
 */
export function ranked<T extends Keyed>(
  query: string,
  local: readonly T[],
  remote: readonly T[],
  nameOf: (item: T) => string,
  most: number,
): T[] {
  const points = (item: T): number => Math.max(score(query, nameOf(item)), 0);
  const known = new Set<string>();
  return [...local, ...remote]
    .filter(({ key }) => !known.has(key) && known.add(key))
    .map((item) => ({ item, points: points(item) }))
    .sort((a, b) => b.points - a.points)
    .slice(0, most)
    .map(({ item }) => item);
}

/** True if the name contains the text, apart from case and accents. */
export const contains = (name: string, text: string): boolean => folded(name).includes(folded(text));

/** Fold accents, case and surrounding spaces. */
function folded(text: string): string {
  return text.normalize("NFKD").replace(/\p{M}/gu, "").toLowerCase().trim();
}
