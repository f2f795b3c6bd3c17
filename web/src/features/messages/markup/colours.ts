/** The colours of code, of a small set of languages; the highlighter is loaded when the first code is shown. */
import type { Piece } from "./highlight";

/** What people write after the backticks, and the grammar for it. */
const LANGUAGES: Readonly<Record<string, string>> = {
  bash: "bash", sh: "bash", shell: "bash", zsh: "bash",
  c: "c", h: "c",
  cpp: "cpp", "c++": "cpp", hpp: "cpp",
  css: "css",
  diff: "diff", patch: "diff",
  go: "go", golang: "go",
  html: "xml", svg: "xml", xml: "xml",
  ini: "ini", toml: "ini",
  java: "java",
  javascript: "javascript", js: "javascript", jsx: "javascript",
  json: "json",
  py: "python", python: "python",
  rs: "rust", rust: "rust",
  sql: "sql",
  ts: "typescript", tsx: "typescript", typescript: "typescript",
  yaml: "yaml", yml: "yaml",
};
/** Longer code stays plain: not all grammars are linear, and so much takes none of them 70 ms whatever it is. */
export const LONGEST = 4_000;

/** The code in pieces that look alike; null if it stays as it is. */
export async function colours(language: string, text: string): Promise<readonly Piece[] | null> {
  const grammar = Object.hasOwn(LANGUAGES, language) ? LANGUAGES[language] : undefined;
  if (!grammar || text.length > LONGEST) return null;
  try {
    const { highlight } = await import("./highlight");
    return highlight(grammar, text);
  } catch {
    return null; // Offline, or a newer version is served by now: the code is readable without colours.
  }
}
