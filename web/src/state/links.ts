/** Finds web addresses in plain text. Pure; the text itself is never changed. */

export interface Piece {
  readonly text: string;
  /** Present if this piece is an address that may be opened: http and https only. */
  readonly href?: string;
}

const ADDRESS = /https?:\/\/[^\s<>"'`\u0000-\u001f]+/gi;

export function pieces(text: string): Piece[] {
  const found: Piece[] = [];
  let at = 0;
  for (const match of text.matchAll(ADDRESS)) {
    const address = withoutTail(match[0]);
    const href = safe(address);
    if (!href) continue;
    if (match.index > at) found.push({ text: text.slice(at, match.index) });
    found.push({ text: address, href });
    at = match.index + address.length;
  }
  if (at < text.length) found.push({ text: text.slice(at) });
  return found;
}

/** Punctuation that ends a sentence does not belong to the address; a closing bracket only if it was opened in it. */
function withoutTail(address: string): string {
  let surplus = count(address, ")") - count(address, "(");
  let end = address.length;
  for (; end > 0; end -= 1) {
    const last = address.charAt(end - 1);
    if (last === ")" ? surplus-- <= 0 : !".,;:!?]}*_~".includes(last)) break;
  }
  return address.slice(0, end);
}

const count = (text: string, character: string): number => text.split(character).length - 1;

function safe(address: string): string | null {
  try {
    const url = new URL(address);
    return url.protocol === "http:" || url.protocol === "https:" ? url.href : null;
  } catch {
    return null;
  }
}
