/**
 * Parse the Markdown of messages (docs/markdown.md). Pure. No HTML is involved: markdown-it yields
 * tokens, and nothing that `tree.ts` cannot express comes out.
 */
import Reader, { type MarkdownIt, type Token } from "markdown-it";
import { targetOf } from "../../state/links";
import {
  address,
  DEEPEST,
  emphasis,
  escape,
  mention,
  paragraph,
  quotesNeedBlanks,
  spoiler,
  spoilersPaired,
  text,
  tooDeep,
} from "./rules";
import { plain, type Block, type Inline, type Link } from "./tree";

/** No server sends longer text; longer text is shown as plain text. */
export const LONGEST = 65_536;
const PLAIN = /^[^\n*:<>@[\\\]_`|~+-]*$/;
const NUMBERED = /^\s*\d+[.)]/;
const WRAPS = { strong: "strong", em: "emphasis", s: "strike", spoiler: "spoiler" } as const;

const reader = prepared();

export function parse(body: string): readonly Block[] {
  if (body.length > LONGEST || (PLAIN.test(body) && !NUMBERED.test(body))) return asTyped(body);
  const blocks = readBlocks(new Cursor(reader.parse(body, {})));
  // A lone `>` or `-` parses as an empty quote or list; show the character itself.
  return blocks.some(says) ? blocks : asTyped(body);
}

/** Return the whole text if it has no formatting, otherwise null. */
export function plainWords([block, ...more]: readonly Block[]): string | null {
  if (block?.kind !== "paragraph" || more.length || block.children.length > 1) return null;
  const only = block.children[0];
  return only === undefined ? "" : only.kind === "text" ? only.text : null;
}

const asTyped = (body: string): readonly Block[] => [{ kind: "paragraph", children: [{ kind: "text", text: body }] }];

function prepared(): MarkdownIt {
  const md = new Reader("zero", { maxNesting: 2 * DEEPEST });
  md.enable(["fence", "list", "backticks", "strikethrough", "emphasis", "link", "autolink", "balance_pairs"]);
  md.inline.ruler.at("text", text);
  md.inline.ruler.before("backticks", "escape", escape);
  md.inline.ruler.at("emphasis", emphasis);
  md.inline.ruler.push("address", address);
  md.inline.ruler.push("mention", mention);
  md.inline.ruler.push("spoiler", spoiler);
  md.inline.ruler2.after("balance_pairs", "spoiler", spoilersPaired);
  quotesNeedBlanks(md);
  md.block.ruler.at("paragraph", paragraph);
  md.block.ruler.before("fence", "too deep", tooDeep);
  md.normalizeLink = (url) => url;
  md.validateLink = (url) => targetOf(url) !== null;
  return md;
}

/** A cursor over tokens. A closing token has the same name as its opening one. */
class Cursor {
  #at = 0;
  constructor(readonly tokens: readonly Token[]) {}

  /** Return the next token, or null at the end of the current element. */
  next(): Token | null {
    const token = this.tokens[this.#at];
    if (token) this.#at += 1;
    return token && token.nesting >= 0 ? token : null;
  }

  /** Return the text up to the end of the current element, without recursion. */
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
  const showsTarget = plain(children) === written.replace(/^mailto:/i, "") || plain(children) === written;
  return showsTarget && target.plain ? link : { ...link, host: target.host };
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
