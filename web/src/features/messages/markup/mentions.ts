/** Which names a text mentions. The server decides by the same rules (`hubbub.domain.mentions`). Pure. */

/** What a user's name may consist of; `hubbub.domain.names` says the same. */
const NAME = /[\p{L}\p{N}\p{Mn}\p{Mc}._-]+/uy;
/** What ends the sentence rather than the name. */
const TAIL = /[._-]+$/;
const WORD = /[\p{L}\p{N}\p{Mn}\p{Mc}_]$/u;

/** The name after the `@` at this place; null if it mentions nobody. */
export function nameAt(text: string, at: number): string | null {
  if (text[at] !== "@" || WORD.test(text.slice(Math.max(0, at - 2), at))) return null;
  NAME.lastIndex = at + 1;
  return NAME.exec(text)?.[0].replace(TAIL, "") || null;
}
