/** Whether a text mentions the whole room. Pure. */
import { isGroupMention } from "./mentions";
import { parse } from "./parse";
import type { Block, Inline } from "./tree";

/** Return `@room` or `@here` as the text has it, or null. */
export const groupMention = (body: string): string | null => inBlocks(parse(body));

function inBlocks(blocks: readonly Block[]): string | null {
  return first(blocks, (block) => {
    if (block.kind === "code") return null;
    if (block.kind === "list") return inBlocks(block.items.flat());
    return block.kind === "quote" ? inBlocks(block.children) : inInlines(block.children);
  });
}

function inInlines(nodes: readonly Inline[]): string | null {
  return first(nodes, (node) => {
    if ("text" in node) return null;
    if (node.kind === "mention") return mention(node.run);
    return inInlines(node.children);
  });
}

function first<T>(all: readonly T[], find: (one: T) => string | null): string | null {
  for (const one of all) {
    const found = find(one);
    if (found !== null) return found;
  }
  return null;
}

const mention = (run: string): string | null => {
  const bare = run.replace(/[._-]+$/, "");
  return isGroupMention(bare) ? `@${bare.toLowerCase()}` : null;
};
