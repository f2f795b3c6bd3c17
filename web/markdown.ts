/**
 * markdown-it without the rules that messages do not use (`src/features/messages/markup`), a third of what is left of it
 * after `substitutes.ts`: its lists of rules name them all, so that nothing else would leave them out.
 */
import type { Plugin } from "vite";

const LIBRARY = /markdown-it\/dist\/markdown-it\.mjs$/;
const UNUSED = [
  "linkify", "replacements", "smartquotes", "table", "code", "hr", "reference", "html_block", "heading", "lheading",
  "newline", "image", "html_inline", "entity",
];

/** `["name", rule]`, or with the names of the blocks that it may end behind it. */
const entry = (name: string): RegExp => new RegExp(`\\n\\t\\[\\s*"${name}",[^\\[\\]]*(?:\\[[^\\[\\]]*\\]\\s*)?\\],?`, "g");

export function markdown(): Plugin {
  return {
    name: "markdown",
    transform(code, id) {
      if (!LIBRARY.test(id)) return null;
      for (const name of UNUSED) {
        const without = code.replace(entry(name), "");
        if (without === code) this.error(`markdown-it names no rule "${name}" any more`);
        code = without;
      }
      return { code, map: null };
    },
  };
}
