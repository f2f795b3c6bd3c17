/** A one-line summary of a message: its first words, without formatting. Pure. */
import { parse } from "./parse";
import type { Block, Inline } from "./tree";

const LONGEST = 160;

export function gist(body: string): string {
  const words = inBlocks(parse(body)).replace(/\s+/g, " ").trim();
  const characters = [...words];
  return characters.length > LONGEST ? `${characters.slice(0, LONGEST).join("")}…` : words;
}

function inBlocks([block, ...more]: readonly Block[]): string {
  if (!block) return "";
  return wordsOf(block) || inBlocks(more);
}

function wordsOf(block: Block): string {
  switch (block.kind) {
    case "paragraph":
      return firstLine(inInlines(block.children));
    case "quote":
      return inBlocks(block.children);
    case "list":
      return inBlocks(block.items.flat());
    case "code":
      return firstLine(block.text.trim());
  }
}

/** Spoilers stay hidden. */
function inInlines(nodes: readonly Inline[]): string {
  return nodes
    .map((node) => {
      if ("text" in node) return node.text;
      if (node.kind === "mention") return `@${node.run}`;
      return node.kind === "spoiler" ? "▒▒▒" : inInlines(node.children);
    })
    .join("");
}

const firstLine = (text: string): string => text.split("\n", 1)[0] ?? "";
