/** A message in one line, for where there is no room for more: quotes, lists, notifications. Pure. */
import { parse } from "./parse";
import type { Block, Inline } from "./tree";

/** In place of what one sees only if one wants to. */
const HIDDEN = "▒▒▒";
const LONGEST = 200;

/** Its words without marks and line breaks, up to `longest` characters; spoilers stay hidden. */
export function summary(body: string, longest = LONGEST): string {
  const words = parse(body).map(ofBlock).join(" ").replace(/\s+/gu, " ").trim();
  const characters = [...words.slice(0, 2 * longest + 1)];
  return characters.length > longest ? `${characters.slice(0, longest).join("").trimEnd()}…` : words;
}

function ofBlock(block: Block): string {
  switch (block.kind) {
    case "paragraph":
      return ofInlines(block.children);
    case "quote":
      return block.children.map(ofBlock).join(" ");
    case "list":
      return block.items.map((item) => item.map(ofBlock).join(" ")).join(", ");
    case "code":
      return block.text;
  }
}

function ofInlines(nodes: readonly Inline[]): string {
  return nodes.map(ofInline).join("");
}

function ofInline(node: Inline): string {
  if ("text" in node) return node.text;
  if (node.kind === "mention") return `@${node.run}`;
  return node.kind === "spoiler" ? HIDDEN : ofInlines(node.children);
}
