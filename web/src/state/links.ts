/** Recognises URLs in text and where they really lead. Pure; the text itself is never changed. */

export interface Target {
  readonly href: string;
  /** The host as the browser's address bar shows it: non-ASCII letters as punycode. */
  readonly host: string;
  /** True if the URL as it was written shows the same host. */
  readonly plain: boolean;
}

/** A scheme at the end of a text. Letters of other scripts cannot be part of it. */
const SCHEME = /(?<![a-z\d_.+-])https?$/i;
const SCHEME_LENGTH = "https".length;
/** ASCII characters that end no link. */
const PLAIN = /[\w.~:/?#@!$&*+,;=%\\^-]+/y;
const ENDING = /[\s<>"`|\p{Z}\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Ps}\p{Pe}\p{Pi}\p{Pf}\p{Po}\u2014\u2015]/u;
/** Marks that occur within words: they belong to the link if a letter or digit follows. */
const JOINERS = "\u00b7\u05f3\u05f4\u0f0b\u2013\u2019\u2027\u30fb";
const WORD = /^[\p{L}\p{N}]/u;
const TAIL = /[.,;:!?*_~'([{\u2010-\u2013]/;
/** By the quotation mark before a link: the one that ends it. All other quotation marks end links. */
const QUOTED: Readonly<Record<string, string>> = { "'": "'", "\u2018": "\u2019", "\u201a": "\u2019", "\u2019": "\u2019" };
const OPENED: Readonly<Record<string, string>> = { ")": "(", "]": "[", "}": "{" };
/** A domain that a letter of a script without blanks follows. */
const ENDED_DOMAIN =
  /^(?:[^/?#]*\.[a-z\d-]+|localhost)(?::\d+)?(?=[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\u{20000}-\u{3ffff}][^./?#]*(?:[/?#]|$))/iu;
const WEB = /^https?:\/\/([^/?#]*)/i;
const MAIL = /^mailto:([^?]*)/i;
/** Characters that browsers drop or read as something else. */
const TRICKS = /[\\\s\p{Cc}\p{Cf}]/u;

/** Return the `http` or `https` before the colon at `colon`, or "" if the link has another scheme. */
export const schemeBefore = (text: string, colon: number): string =>
  SCHEME.exec(text.slice(Math.max(0, colon - SCHEME_LENGTH - 1), colon))?.[0] ?? "";

/**
 * Return where the link ends that has its `://` at `colon`, by the rules of the server
 * (`hubbub.domain.links`). `contract/fixtures/links.json` has the cases.
 */
export function endOfLink(text: string, colon: number): number {
  const start = colon + "://".length;
  const quote = QUOTED[text.charAt(colon - schemeBefore(text, colon).length - 1)];
  const rest = text.slice(start, extent(text, start, quote));
  return start + withoutTail(ENDED_DOMAIN.exec(rest)?.[0] ?? rest);
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

/** Return where the characters end that may belong to the link. */
function extent(text: string, start: number, quote: string | undefined): number {
  const open: Record<string, number> = { "(": 0, "[": 0, "{": 0 };
  let at = start;
  while (at < text.length) {
    PLAIN.lastIndex = at;
    const plain = PLAIN.exec(text)?.[0];
    const character = plain ?? String.fromCodePoint(text.codePointAt(at)!);
    const pair = OPENED[character];
    if (character in open) open[character]! += 1;
    else if (pair !== undefined) {
      if (!open[pair]) break;
      open[pair] -= 1;
    } else if (!plain && (character === quote || (character !== "'" && ends(character, text.slice(at + character.length, at + character.length + 2))))) break;
    at += character.length;
  }
  return at;
}

const ends = (character: string, following: string): boolean =>
  JOINERS.includes(character) ? !WORD.test(following) : ENDING.test(character);

/**
 * Return the length without the punctuation of the sentence. Paired apostrophes belong to the link.
 */
function withoutTail(address: string): number {
  let apostrophes = address.split("'").length - 1;
  let end = address.length;
  for (; end > 0; end -= 1) {
    const last = address.charAt(end - 1);
    if (!TAIL.test(last) || (last === "'" && apostrophes-- % 2 === 0)) break;
  }
  return end;
}

function parsed(address: string): URL | null {
  try {
    return new URL(address);
  } catch {
    return null;
  }
}
