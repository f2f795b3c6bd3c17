/** Recognises URLs in text and where they really lead. Pure; the text itself is never changed. */

export interface Target {
  readonly href: string;
  /** The host as the browser's address bar shows it: non-ASCII letters as punycode. */
  readonly host: string;
  /** True if the URL as it was written shows the same host. */
  readonly plain: boolean;
}

const LONGEST = 2_048;
const SCHEME = /https?:\/\//iy;
/** Up to a space, a quote or an invisible character. */
const ADDRESS = /https?:\/\/[^\s<>"'`|\p{Cc}\p{Cf}]+/iuy;
const WEB = /^https?:\/\/([^/?#]*)/i;
const MAIL = /^mailto:([^?]*)/i;
/** Characters that browsers drop or read as something else. */
const TRICKS = /[\\\s\p{Cc}\p{Cf}]/u;
const TAIL = ".,;:!?]}*_~";

/**
 * Return the URL that starts at `at`, without punctuation that ends the sentence; null if none
 * does.
 */
export function addressAt(text: string, at: number): string | null {
  SCHEME.lastIndex = at;
  if (!SCHEME.test(text)) return null;
  const near = text.slice(at, at + LONGEST);
  ADDRESS.lastIndex = 0;
  const found = ADDRESS.exec(near)?.[0];
  return found ? withoutTail(toBracket(found)) : null;
}

/**
 * Return where a URL leads; null if it must not be opened: other schemes, user names and passwords,
 * deceptive characters.
 */
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

/** An enclosing bracket ends the URL; brackets that the URL opened itself belong to it. */
function toBracket(address: string): string {
  let open = 0;
  for (let at = 0; at < address.length; at += 1) {
    if (address[at] === "[") open += 1;
    else if (address[at] === "]" && open-- === 0) return address.slice(0, at);
  }
  return address;
}

/**
 * Trailing punctuation does not belong to the URL; a closing parenthesis only if the URL opened it.
 */
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
