/** The tree of a message's text. It can express nothing beyond what messages may show. */

export type Inline =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "strong" | "emphasis" | "strike" | "spoiler"; readonly children: readonly Inline[] }
  | { readonly kind: "code"; readonly text: string }
  /** The run after the `@`, possibly with trailing punctuation; see `mentions.ts`. */
  | { readonly kind: "mention"; readonly run: string }
  | Link;

export interface Link {
  readonly kind: "link";
  readonly href: string;
  /** The host of the link, set if the link's text does not show it. */
  readonly host?: string;
  readonly children: readonly Inline[];
}

export type Block =
  | { readonly kind: "paragraph"; readonly children: readonly Inline[] }
  | { readonly kind: "quote"; readonly children: readonly Block[] }
  | { readonly kind: "list"; readonly start: number | null; readonly items: readonly (readonly Block[])[] }
  | { readonly kind: "code"; readonly language: string; readonly text: string };

/** The plain text, for screen readers and search. */
export function plain(nodes: readonly Inline[]): string {
  return nodes.map((node) => ("text" in node ? node.text : node.kind === "mention" ? `@${node.run}` : plain(node.children))).join("");
}
