/** The rule that key handlers ask whether an input method is composing. */
import { ESLint } from "eslint";
import { expect, test } from "vitest";

const eslint = new ESLint({ cwd: new URL("..", import.meta.url).pathname });

async function refused(source: string): Promise<boolean> {
  const [result] = await eslint.lintText(source, { filePath: "src/ui/A.svelte" });
  return result!.messages.some(({ ruleId }) => ruleId === "composing/asks-first");
}

const script = (line: string): string => `<script lang="ts">\n${line}\n</script>\n`;

test.each([
  script('function keyed(event: KeyboardEvent) { if (event.key === "Enter") send(); }'),
  script('const keyed = (event: KeyboardEvent): boolean => ["Enter", "Tab"].includes(event.key);'),
  script('function keyed(event: KeyboardEvent & { currentTarget: Element }) { const step = STEPS[event.key]; }'),
  script('function keyed(event: KeyboardEvent) { const is = () => event.key === "Escape"; }'),
  script('function keyed({ key }: KeyboardEvent) { if (key === "Enter") send(); }'),
  script('function keyed(event: KeyboardEvent) { if (composes(other)) return; if (event.key === "Enter") send(); }'),
  '<input onkeydown={(event) => event.key === "Enter" && send()} />',
  '<input onkeyup={({ key }) => key === "Enter" && send()} />',
])("a handler that does not ask is refused: %s", async (source) => expect(await refused(source)).toBe(true));

test.each([
  script('function keyed(event: KeyboardEvent) { if (composes(event)) return; if (event.key === "Enter") send(); }'),
  script('const keyed = (event: KeyboardEvent): boolean => !composes(event) && event.key === "Enter";'),
  script("function keyed(event: KeyboardEvent) { event.preventDefault(); }"),
  script("const keyOf = (one: { key: string }): string => one.key;"),
  "<input onkeydown={keyed} />",
])("others are not: %s", async (source) => expect(await refused(source)).toBe(false));
