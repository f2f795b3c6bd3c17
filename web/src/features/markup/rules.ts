/** Extensions to Markdown as markdown-it rules: bare URLs, mentions, spoilers. */
import type { Delimiter, MarkdownIt, StateBlock, StateInline } from "markdown-it";
import { addressAt, targetOf } from "../../state/links";
import { runAt } from "./mentions";

/** The deepest nesting of quotes and lists; deeper text is shown as it was typed. */
export const DEEPEST = 16;
const BAR = "|".charCodeAt(0);
const QUOTE = ">".charCodeAt(0);
const TAB = 9;
const BLANK = 32;
/** Text up to the next character that may have a meaning. */
const WORDS = /[^\n*:<@[\\\]_`|~]+/y;
const SCHEME = /(?<![\p{L}\p{N}_.+-])https?$/iu;
const SCHEME_LENGTH = "https".length + 1;

export function text(state: StateInline, silent: boolean): boolean {
  WORDS.lastIndex = state.pos;
  const found = WORDS.exec(state.src)?.[0].slice(0, state.posMax - state.pos);
  if (!found) return false;
  if (!silent) state.pending += found;
  state.pos += found.length;
  return true;
}

/** A bare URL, recognised at its colon, when the scheme is already pending text. */
export function address(state: StateInline, silent: boolean): boolean {
  const { src, pos } = state;
  if (state.linkLevel > 0 || !src.startsWith("://", pos)) return false;
  const scheme = SCHEME.exec(src.slice(Math.max(0, pos - SCHEME_LENGTH), pos))?.[0];
  const found = scheme && addressAt(src, pos - scheme.length)?.slice(0, state.posMax - pos + scheme.length);
  if (!scheme || !found || found.length <= scheme.length + 3) return false;
  const rest = found.slice(scheme.length);
  if (!silent) {
    const leads = targetOf(found) !== null && state.pending.endsWith(scheme);
    if (leads) {
      state.pending = state.pending.slice(0, -scheme.length);
      push(state, "link_open", 1, found);
      push(state, "text", 0, found);
      push(state, "link_close", -1);
    } else state.pending += rest;
  }
  state.pos += rest.length;
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

/** Enable quotes that start with `>` and a space: `>_<` and `>:(` are emoticons. */
export function quotesNeedBlanks(md: MarkdownIt): void {
  const others = md.block.ruler.getRules("");
  md.enable("blockquote");
  const quote = md.block.ruler.getRules("").find((rule) => !others.includes(rule))!;
  md.block.ruler.at(
    "blockquote",
    (state, line, end, silent) => {
      const at = state.bMarks[line]! + state.tShift[line]!;
      const next = state.src.charCodeAt(at + 1);
      const begins = at + 1 >= state.eMarks[line]! || next === BLANK || next === TAB || next === QUOTE;
      return begins && quote(state, line, end, silent);
    },
    { alt: ["paragraph", "reference", "blockquote", "list"] },
  );
}

function push(state: StateInline, type: string, nesting: -1 | 0 | 1, content = ""): void {
  state.push(type, "", nesting).content = content;
}
