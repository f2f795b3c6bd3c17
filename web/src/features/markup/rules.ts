/**
 * Markdown of messages as markdown-it rules: bare URLs, mentions, spoilers, and what a message does
 * otherwise than a document: where quotes, lists, emphasis and escapes begin and end.
 */
import type { Delimiter, MarkdownIt, StateBlock, StateInline } from "markdown-it";
import { endOfLink, schemeBefore, targetOf } from "../../state/links";
import { runAt } from "./mentions";

/** The deepest nesting of quotes and lists; deeper text is shown as it was typed. */
export const DEEPEST = 16;
const BAR = "|".charCodeAt(0);
const QUOTE = ">".charCodeAt(0);
const TAB = 9;
const STAR = "*".charCodeAt(0);
const UNDERSCORE = "_".charCodeAt(0);
const BACKSLASH = "\\".charCodeAt(0);
/** What may follow a backslash that has a meaning: a sign that means something there. */
const MEANING = /^[\\`*_~|[\]<@]|^:\/\//;
/** What may stand before the sign of a quote or of an item, and before the sign after a number. */
const LINE_START = /\n[ \t>]*$/;
const NUMBER = /\n[ \t>]*\d{1,9}$/;
const LONGEST_INDENT = 64;
/** A letter of a script without blanks: words have no edges there. */
const UNSPACED = /[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\ud840-\udbff]/;
const BLANK = 32;
/** Text up to the next character that may have a meaning. */
const WORDS = /[^\n*:<@[\\\]_`|~]+/y;
const LETTER = /[a-z\d]/i;

export function text(state: StateInline, silent: boolean): boolean {
  WORDS.lastIndex = state.pos;
  const found = WORDS.exec(state.src)?.[0].slice(0, state.posMax - state.pos);
  if (!found) return false;
  if (!silent) state.pending += found;
  state.pos += found.length;
  return true;
}

/**
 * A bare URL, recognised at its colon, when the scheme is already pending text. URLs of other
 * schemes are text without mentions.
 */
export function address(state: StateInline, silent: boolean): boolean {
  const { src, pos } = state;
  if (state.linkLevel > 0 || !src.startsWith("://", pos) || !LETTER.test(src.charAt(pos - 1))) return false;
  const scheme = schemeBefore(src, pos);
  const end = Math.min(endOfLink(src, pos), state.posMax);
  const found = src.slice(pos - scheme.length, end);
  if (!silent) {
    if (scheme && targetOf(found) !== null && state.pending.endsWith(scheme)) {
      state.pending = state.pending.slice(0, -scheme.length);
      push(state, "link_open", 1, found);
      push(state, "text", 0, found);
      push(state, "link_close", -1);
    } else state.pending += src.slice(pos, end);
  }
  state.pos = end;
  return true;
}

/** A backslash shows the sign after it, if that has a meaning there; every other one stays. */
export function escape(state: StateInline, silent: boolean): boolean {
  const { src, pos, posMax } = state;
  if (src.charCodeAt(pos) !== BACKSLASH || pos + 1 >= posMax) return false;
  const means = MEANING.test(src.slice(pos + 1, pos + 4)) || marksLine(src.charAt(pos + 1), () => textBefore(src, pos));
  if (!silent) state.pending += means ? src.charAt(pos + 1) : "\\";
  state.pos += means ? 2 : 1;
  return true;
}

/** True if the sign would begin a quote or an item of a list after this text. */
const marksLine = (sign: string, before: () => string): boolean =>
  ">-+".includes(sign) ? LINE_START.test(before()) : ".)".includes(sign) && NUMBER.test(before());

const textBefore = (text: string, at: number): string =>
  at < LONGEST_INDENT ? `\n${text.slice(0, at)}` : text.slice(at - LONGEST_INDENT, at);

/**
 * `*` and `_` begin and end at the edges of words: `2*3*4` and `snake_case` are words. Next to
 * letters of scripts without blanks, `*` needs no edge.
 */
export function emphasis(state: StateInline, silent: boolean): boolean {
  const { src, pos } = state;
  const marker = src.charCodeAt(pos);
  if (silent || (marker !== STAR && marker !== UNDERSCORE)) return false;
  const { length } = state.scanDelims(pos, false);
  const splits = marker === STAR && (UNSPACED.test(src.charAt(pos - 1)) || UNSPACED.test(src.charAt(pos + length)));
  const { can_open: open, can_close: close } = state.scanDelims(pos, splits);
  for (let count = 0; count < length; count += 1) {
    push(state, "text", 0, src.charAt(pos));
    state.delimiters.push({ marker, length, token: state.tokens.length - 1, end: -1, open, close });
  }
  state.pos += length;
  return true;
}

export function mention(state: StateInline, silent: boolean): boolean {
  const run = state.linkLevel > 0 ? null : runAt(state.src, state.pos);
  if (!run || state.pos + 1 + run.length > state.posMax) return false;
  if (!silent) push(state, "mention", 0, run);
  state.pos += 1 + run.length;
  return true;
}

/**
 * `||…||`, implemented like markdown-it's `~~…~~`: collect delimiters first, pair them at the end.
 * Spaces inside make no difference: text hidden by mistake can be revealed, but revealed text
 * cannot be hidden.
 */
export function spoiler(state: StateInline, silent: boolean): boolean {
  if (silent || state.src.charCodeAt(state.pos) !== BAR) return false;
  const { length } = state.scanDelims(state.pos, true);
  if (length !== 2) {
    state.pending += "|".repeat(length);
  } else {
    push(state, "text", 0, "||");
    state.delimiters.push({ marker: BAR, length: 0, token: state.tokens.length - 1, end: -1, open: true, close: true });
  }
  state.pos += length;
  return true;
}

export function spoilersPaired(state: StateInline): boolean {
  const turn = (delimiters: readonly Delimiter[]): void => {
    for (const { marker, end, token } of delimiters) {
      const closing = marker === BAR && end !== -1 ? delimiters[end] : undefined;
      if (!closing) continue;
      Object.assign(state.tokens[token]!, { type: "spoiler_open", nesting: 1, content: "" });
      Object.assign(state.tokens[closing.token]!, { type: "spoiler_close", nesting: -1, content: "" });
    }
  };
  turn(state.delimiters);
  for (const meta of state.tokens_meta) if (meta?.delimiters) turn(meta.delimiters);
  return true;
}

/**
 * Runs before all other block rules. Beyond the nesting limit the remaining text becomes one
 * paragraph, so that nothing is lost.
 */
export function tooDeep(state: StateBlock, line: number, end: number, silent: boolean): boolean {
  if (silent || state.level < DEEPEST) return false;
  state.push("paragraph_open", "p", 1);
  const inline = state.push("inline", "", 0);
  inline.content = state.getLines(line, end, state.blkIndent, false).trim();
  inline.children = [];
  state.push("paragraph_close", "p", -1);
  state.line = end;
  return true;
}

/**
 * Enable quotes that start with `>` and a space: `>_<` and `>:(` are emoticons. A line without the
 * sign is no part of the quote.
 */
export function quotesNeedBlanks(md: MarkdownIt): void {
  const others = md.block.ruler.getRules("");
  md.enable("blockquote");
  const quote = md.block.ruler.getRules("").find((rule) => !others.includes(rule))!;
  const signAt = (state: StateBlock, line: number): number => state.bMarks[line]! + state.tShift[line]!;
  md.block.ruler.at(
    "blockquote",
    (state, line, end, silent) => {
      const at = signAt(state, line);
      const next = state.src.charCodeAt(at + 1);
      const begins = at + 1 >= state.eMarks[line]! || next === BLANK || next === TAB || next === QUOTE;
      if (!begins || state.src.charCodeAt(at) !== QUOTE) return false;
      if (silent) return quote(state, line, end, true);
      let after = line + 1;
      while (after < end && state.src.charCodeAt(signAt(state, after)) === QUOTE) after += 1;
      return quote(state, line, after, false);
    },
    { alt: ["paragraph", "reference", "blockquote", "list"] },
  );
}

/**
 * As in CommonMark, except that a paragraph in a list ends at a line that is not indented as far as
 * the item.
 */
export function paragraph(state: StateBlock, line: number, end: number): boolean {
  const others = state.md.block.ruler.getRules("paragraph");
  const parent = state.parentType;
  let after = line + 1;
  state.parentType = "paragraph";
  while (after < end && !state.isEmpty(after) && state.sCount[after]! >= state.blkIndent) {
    if (state.sCount[after]! - state.blkIndent <= 3 && others.some((begins) => begins(state, after, end, true))) break;
    after += 1;
  }
  state.parentType = parent;
  state.line = after;
  state.push("paragraph_open", "p", 1);
  const inline = state.push("inline", "", 0);
  inline.content = state.getLines(line, after, state.blkIndent, false).trim();
  inline.children = [];
  state.push("paragraph_close", "p", -1);
  return true;
}

function push(state: StateInline, type: string, nesting: -1 | 0 | 1, content = ""): void {
  state.push(type, "", nesting).content = content;
}
