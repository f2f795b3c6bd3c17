/** What a message's text means: a small tree that can say nothing but what messages may show. */

export type Inline =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "strong" | "emphasis" | "strike" | "spoiler"; readonly children: readonly Inline[] }
  | { readonly kind: "code"; readonly text: string }
  /** The run behind the `@`, perhaps with the end of the sentence; see `mentions.ts`. */
  | { readonly kind: "mention"; readonly run: string }
  | Link;

export interface Link {
  readonly kind: "link";
  readonly href: string;
  /** Present where the text does not say it: whom one will meet there. */
  readonly host?: string;
  readonly children: readonly Inline[];
}

export type Block =
  | { readonly kind: "paragraph"; readonly children: readonly Inline[] }
  | { readonly kind: "quote"; readonly children: readonly Block[] }
  | { readonly kind: "list"; readonly start: number | null; readonly items: readonly (readonly Block[])[] }
  | { readonly kind: "code"; readonly language: string; readonly text: string };

/** The words alone, as they are read out or searched. */
export function plain(nodes: readonly Inline[]): string {
  return nodes.map((node) => ("text" in node ? node.text : node.kind === "mention" ? `@${node.run}` : plain(node.children))).join("");
}
