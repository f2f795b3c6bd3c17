/** The rules of imports refuse what they should: a folder that knows one of an outer layer. */
import { ESLint } from "eslint";
import { describe, expect, test } from "vitest";
import { FEATURES, LAYERS, troubles } from "../layers";

const eslint = new ESLint({ cwd: new URL("..", import.meta.url).pathname });

/** Return what the rules of imports report about a component with these lines, by line. */
async function reports(file: string, ...lines: string[]): Promise<string[]> {
  const [result] = await eslint.lintText(`<script lang="ts">\n${lines.join("\n")}\n</script>\n`, { filePath: `src/${file}` });
  const found = lines.map(() => "");
  for (const { ruleId, message, line } of result?.messages ?? []) {
    if (ruleId === null || /^no-restricted-(imports|syntax)$/.test(ruleId)) found[line - 2] += message;
  }
  return found;
}

/** Return those of the modules that a file may not import. */
async function refused(file: string, modules: readonly string[]): Promise<string[]> {
  const found = await reports(file, ...modules.map((name, at) => `import { a${at} } from "../${name}";`));
  return modules.filter((_, at) => found[at]);
}

describe("folders of features", () => {
  test("have an order, which every folder is in", () => {
    expect(FEATURES.length).toBeGreaterThan(20);
    expect(troubles(["a", "b"], ["b", "a"])).toEqual([]);
    expect(troubles(["a"], ["a", "b"])).toEqual(["src/features/b is not in FEATURES of layers.js."]);
    expect(troubles(["a", "b"], ["a"])).toEqual(["src/features/b of layers.js does not exist."]);
  });

  test.each(FEATURES)("%s imports the folders before it, and none of those after it, so that no circle arises", async (folder) => {
    const others = FEATURES.filter((name) => name !== folder);
    const found = await refused(
      `features/${folder}/A.svelte`,
      others.map((name) => `${name}/a`),
    );
    expect(found).toEqual(FEATURES.slice(FEATURES.indexOf(folder) + 1).map((name) => `${name}/a`));
  });

  test.each([
    'import type { A } from "../room_screen/a";',
    'export { a } from "../room_screen/a";',
    'const later = () => import("../room_screen/A.svelte");',
    'import { a } from "../../features/room_screen/a";',
    'import { a } from "../../../features/room_screen/a";',
  ])("are refused in every form: %s", async (line) => {
    expect(await reports("features/rooms/A.svelte", line)).toEqual([expect.stringContaining("before it")]);
  });

  test.each(['import { a } from "./a";', 'import { a } from "../../permissions";', 'import { a } from "../../net/http";'])(
    "keep what all features may import: %s",
    async (line) => {
      expect(await reports("features/markup/A.svelte", line)).toEqual([""]);
    },
  );
});

test.each(Object.entries(LAYERS).filter(([layer]) => !layer.includes(".")))("%s imports its layers alone", async (layer, allowed) => {
  const others = Object.keys(LAYERS).filter((name) => name !== layer);
  const found = await refused(`${layer}/A.svelte`, others);
  expect(found).toEqual(others.filter((name) => !allowed.includes(name)));
});

test.each(FEATURES)("%s stays bound by the layer of features", async (folder) => {
  expect(await refused(`features/${folder}/A.svelte`, ["../shell/a", "../ChatScreen.svelte", "../net/http"])).toHaveLength(2);
});
