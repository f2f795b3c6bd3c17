/** What an address in a text is, and where it really leads. Pure; the text itself is never changed. */

export interface Target {
  readonly href: string;
  /** Whom one will meet there, as the address line of the browser says it: foreign letters as punycode. */
  readonly host: string;
  /** True if the address as it was written says so too. */
  readonly plain: boolean;
}

const LONGEST = 2_048;
const SCHEME = /https?:\/\//iy;
/** Up to a blank, a quote or a sign that nobody sees. */
const ADDRESS = /https?:\/\/[^\s<>"'`|\p{Cc}\p{Cf}]+/iuy;
const WEB = /^https?:\/\/([^/?#]*)/i;
const MAIL = /^mailto:([^?]*)/i;
/** What browsers leave out or read as something else. */
const TRICKS = /[\\\s\p{Cc}\p{Cf}]/u;
const TAIL = ".,;:!?]}*_~";

/** The address that begins at `at`, without what only ends the sentence around it; null if none does. */
export function addressAt(text: string, at: number): string | null {
  SCHEME.lastIndex = at;
  if (!SCHEME.test(text)) return null;
  const near = text.slice(at, at + LONGEST);
  ADDRESS.lastIndex = 0;
  const found = ADDRESS.exec(near)?.[0];
  return found ? withoutTail(toBracket(found)) : null;
}

/** Where an address leads; null if it may not be opened: other schemes, names and passwords, what is not as it looks. */
export function targetOf(address: string): Target | null {
  if (TRICKS.test(address)) return null;
  const mail = MAIL.exec(address)?.[1];
  const web = WEB.exec(address)?.[1];
  const url = mail || web ? parsed(address) : null;
  if (!url || url.username || url.password || web?.includes("@")) return null;
  if (mail) return url.protocol === "mailto:" ? { href: url.href, host: mail, plain: true } : null;
  if (url.protocol !== "http:" && url.protocol !== "https:") return null;
  const written = (web ?? "").toLowerCase();
  return { href: url.href, host: url.host, plain: written === url.host };
}

/** Brackets around the address end it; those that it opened itself belong to it. */
function toBracket(address: string): string {
  let open = 0;
  for (let at = 0; at < address.length; at += 1) {
    if (address[at] === "[") open += 1;
    else if (address[at] === "]" && open-- === 0) return address.slice(0, at);
  }
  return address;
}

/** Punctuation that ends a sentence does not belong to the address; a closing bracket only if it was opened in it. */
function withoutTail(address: string): string {
  let surplus = count(address, ")") - count(address, "(");
  let end = address.length;
  for (; end > 0; end -= 1) {
    const last = address.charAt(end - 1);
    if (last === ")" ? surplus-- <= 0 : !TAIL.includes(last)) break;
  }
  return address.slice(0, end);
}

const count = (text: string, character: string): number => text.split(character).length - 1;

function parsed(address: string): URL | null {
  try {
    return new URL(address);
  } catch {
    return null;
  }
}
