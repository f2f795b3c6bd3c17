/**
 * Syntax colours for a small set of languages. The highlighter is loaded with the first code block.
 */
import type { Piece } from "./highlight";

/** Language names after the backticks, and their grammars. */
const LANGUAGES: Readonly<Record<string, string>> = {
  bash: "bash",
  sh: "bash",
  shell: "bash",
  zsh: "bash",
  c: "c",
  h: "c",
  cpp: "cpp",
  "c++": "cpp",
  hpp: "cpp",
  css: "css",
  diff: "diff",
  patch: "diff",
  go: "go",
  golang: "go",
  html: "xml",
  svg: "xml",
  xml: "xml",
  ini: "ini",
  toml: "ini",
  java: "java",
  javascript: "javascript",
  js: "javascript",
  jsx: "javascript",
  json: "json",
  py: "python",
  python: "python",
  rs: "rust",
  rust: "rust",
  sql: "sql",
  ts: "typescript",
  tsx: "typescript",
  typescript: "typescript",
  yaml: "yaml",
  yml: "yaml",
};
/**
 * Longer code stays plain: not all grammars are linear. At this length none needs more than 70 ms,
 * whatever the input.
 */
export const LONGEST = 4_000;

/** Return the code as coloured pieces, or null if it stays plain. */
export async function colours(language: string, text: string): Promise<readonly Piece[] | null> {
  const grammar = Object.hasOwn(LANGUAGES, language) ? LANGUAGES[language] : undefined;
  if (!grammar || text.length > LONGEST) return null;
  try {
    const { highlight } = await import("./highlight");
    return highlight(grammar, text);
  } catch {
    return null; // Offline, or the server has a newer version: the code is readable without colours.
  }
}
