/** Where the found words stand in a message's text. Pure. */

const WORD = /[\p{L}\p{N}\p{M}]/u;

/**
 * Return a pattern for the words at these places of the text (UTF-16); null if there are none.
 *
 * Messages are shown without the signs of their formatting, so the places do not fit what is shown.
 * The words do: they match where they stand alone, if they stood alone in the text.
 */
export function wordsAt(body: string, places: readonly (readonly number[])[]): RegExp | null {
  const found = new Set<string>();
  for (const [start = 0, end = 0] of places) {
    const word = body.slice(start, end);
    if (!word.trim()) continue;
    const before = joined(body.slice(0, start), word) ? "" : "(?<![\\p{L}\\p{N}\\p{M}])";
    const after = joined(word, body.slice(end)) ? "" : "(?![\\p{L}\\p{N}\\p{M}])";
    found.add(`${before}${word.replace(/[\\^$.*+?()[\]{}|/-]/g, "\\$&")}${after}`);
  }
  return found.size ? new RegExp([...found].sort((a, b) => b.length - a.length).join("|"), "gu") : null;
}

/** True if a word goes on from one text to the next. */
const joined = (before: string, after: string): boolean =>
  WORD.test([...before.slice(-2)].at(-1) ?? "") && WORD.test([...after.slice(0, 2)][0] ?? "");

export interface Piece {
  readonly text: string;
  readonly marked: boolean;
}

/** Cut the text into marked and other pieces. */
export function pieces(text: string, words: RegExp | null): Piece[] {
  const found: Piece[] = [];
  let at = 0;
  for (const { 0: word, index } of words ? text.matchAll(words) : []) {
    if (index > at) found.push({ text: text.slice(at, index), marked: false });
    found.push({ text: word, marked: true });
    at = index + word.length;
  }
  if (at < text.length) found.push({ text: text.slice(at), marked: false });
  return found;
}
