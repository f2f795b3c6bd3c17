/**
 * Reads the Markdown of messages (docs/markdown.md). Pure, and no HTML anywhere: markdown-it gives tokens, and what has
 * no place in `tree.ts` cannot come out.
 */
import Reader, { type MarkdownIt, type Token } from "markdown-it";
import { targetOf } from "../../../state/links";
import { address, DEEPEST, mention, quotesNeedBlanks, spoiler, spoilersPaired, text, tooDeep } from "./rules";
import { plain, type Block, type Inline, type Link } from "./tree";

/** No server sends more; beyond it a text is shown as it is. */
export const LONGEST = 65_536;
const PLAIN = /^[^\n*:<>@[\\\]_`|~+-]*$/;
const NUMBERED = /^\s*\d+[.)]/;
const WRAPS = { strong: "strong", em: "emphasis", s: "strike", spoiler: "spoiler" } as const;

const reader = prepared();

export function parse(body: string): readonly Block[] {
  if (body.length > LONGEST || (PLAIN.test(body) && !NUMBERED.test(body))) return asTyped(body);
  const blocks = readBlocks(new Cursor(reader.parse(body, {})));
  // A lone `>` or `-` is a quote or a list of nothing: then the sign itself was meant.
  return blocks.some(says) ? blocks : asTyped(body);
}

/** The whole text, if it has no marks in it; otherwise null. */
export function plainWords([block, ...more]: readonly Block[]): string | null {
  if (block?.kind !== "paragraph" || more.length || block.children.length > 1) return null;
  const only = block.children[0];
  return only === undefined ? "" : only.kind === "text" ? only.text : null;
}

const asTyped = (body: string): readonly Block[] => [{ kind: "paragraph", children: [{ kind: "text", text: body }] }];

function prepared(): MarkdownIt {
  const md = new Reader("zero", { maxNesting: 2 * DEEPEST });
  md.enable(["fence", "list", "escape", "backticks", "strikethrough", "emphasis", "link", "autolink", "balance_pairs"]);
  md.inline.ruler.at("text", text);
  md.inline.ruler.push("address", address);
  md.inline.ruler.push("mention", mention);
  md.inline.ruler.push("spoiler", spoiler);
  md.inline.ruler2.after("balance_pairs", "spoiler", spoilersPaired);
  quotesNeedBlanks(md);
  md.block.ruler.before("fence", "too deep", tooDeep);
  md.normalizeLink = (url) => url;
  md.validateLink = (url) => targetOf(url) !== null;
  return md;
}

/** Tokens one after the other; those that open something are closed by one of the same name. */
class Cursor {
  #at = 0;
  constructor(readonly tokens: readonly Token[]) {}

  /** The next one, unless it closes what we are in. */
  next(): Token | null {
    const token = this.tokens[this.#at];
    if (token) this.#at += 1;
    return token && token.nesting >= 0 ? token : null;
  }

  /** The words up to the end of what we are in, without recursion. */
  words(): string {
    let words = "";
    for (let depth = 1; depth > 0 && this.#at < this.tokens.length; this.#at += 1) {
      const token = this.tokens[this.#at]!;
      depth += token.nesting;
      words += token.type === "mention" ? `@${token.content}` : token.content;
    }
    return words;
  }
}

function readBlocks(cursor: Cursor): Block[] {
  const blocks: Block[] = [];
  for (let token = cursor.next(); token; token = cursor.next()) {
    const block = readBlock(token, cursor);
    if (block) blocks.push(block);
  }
  return blocks;
}

function readBlock(token: Token, cursor: Cursor): Block | null {
  switch (token.type) {
    case "paragraph_open": {
      const inline = cursor.next();
      cursor.next();
      return { kind: "paragraph", children: readInlines(new Cursor(inline?.children ?? [])) };
    }
    case "blockquote_open":
      return { kind: "quote", children: readBlocks(cursor) };
    case "bullet_list_open":
    case "ordered_list_open": {
      const start = token.type === "ordered_list_open" ? Number(token.attrGet("start") ?? 1) : null;
      const items: Block[][] = [];
      while (cursor.next()) items.push(readBlocks(cursor));
      return { kind: "list", start, items };
    }
    case "fence":
      return { kind: "code", language: token.info.trim().split(/\s/)[0]!.toLowerCase(), text: token.content.replace(/\n$/, "") };
    default:
      return null;
  }
}

function readInlines(cursor: Cursor, depth = 0): Inline[] {
  if (depth > DEEPEST) return [{ kind: "text", text: cursor.words() }];
  const nodes: Inline[] = [];
  for (let token = cursor.next(); token; token = cursor.next()) {
    const node = readInline(token, cursor, depth);
    const last = nodes.at(-1);
    if (node.kind === "text" && last?.kind === "text") nodes[nodes.length - 1] = { kind: "text", text: last.text + node.text };
    else if (node.kind !== "text" || node.text) nodes.push(node);
  }
  return nodes;
}

function readInline(token: Token, cursor: Cursor, depth: number): Inline {
  switch (token.type) {
    case "code_inline":
      return { kind: "code", text: token.content };
    case "mention":
      return { kind: "mention", run: token.content };
    case "link_open":
      return readLink(String(token.attrGet("href") ?? token.content), readInlines(cursor, depth + 1));
    case "hardbreak":
      return { kind: "text", text: "\n" };
    default: {
      const kind = token.nesting === 1 ? WRAPS[token.type.replace("_open", "") as keyof typeof WRAPS] : undefined;
      return kind ? { kind, children: readInlines(cursor, depth + 1) } : { kind: "text", text: token.content };
    }
  }
}

function readLink(written: string, children: readonly Inline[]): Inline {
  const target = targetOf(written);
  if (!target) return { kind: "text", text: plain(children) };
  const link: Link = { kind: "link", href: target.href, children };
  const told = plain(children) === written.replace(/^mailto:/i, "") || plain(children) === written;
  return told && target.plain ? link : { ...link, host: target.host };
}

function says(block: Block): boolean {
  switch (block.kind) {
    case "paragraph":
      return block.children.length > 0;
    case "quote":
      return block.children.some(says);
    case "list":
      return block.items.some((item) => item.some(says));
    case "code":
      return block.text !== "";
  }
}
