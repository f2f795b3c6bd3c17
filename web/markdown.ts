/**
 * Remove the renderer and rules of markdown-it that messages do not use (`src/features/markup`), a third of
 * its size after `substitutes.ts`. Its rule lists name every rule, so tree shaking cannot remove
 * them.
 */
import type { Plugin } from "vite";

const LIBRARY = /markdown-it\/dist\/markdown-it\.mjs$/;
const UNUSED = [
  "linkify",
  "replacements",
  "smartquotes",
  "table",
  "code",
  "hr",
  "reference",
  "html_block",
  "heading",
  "lheading",
  "newline",
  "image",
  "html_inline",
  "entity",
  "escape",
];

/** Matches `["name", rule]`, optionally followed by the names of the blocks that it may end. */
const entry = (name: string): RegExp => new RegExp(`\\n\\t\\[\\s*"${name}",[^\\[\\]]*(?:\\[[^\\[\\]]*\\]\\s*)?\\],?`, "g");

/** The renderer makes HTML, which messages never become: only its class is named. */
const RENDERER = /\/\/#region src\/renderer\.ts\n[^]*?\/\/#endregion/;

export function markdown(): Plugin {
  return {
    name: "markdown",
    transform(code, id) {
      if (!LIBRARY.test(id)) return null;
      for (const name of UNUSED) {
        const without = code.replace(entry(name), "");
        if (without === code) this.error(`markdown-it has no rule "${name}" anymore`);
        code = without;
      }
      if (!RENDERER.test(code)) this.error("markdown-it has no region for its renderer anymore");
      return { code: code.replace(RENDERER, "var Renderer = class {};"), map: null };
    },
  };
}
