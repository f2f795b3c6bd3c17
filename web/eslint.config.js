/**
 * Rules for web/ that the compiler does not have. TypeScript files are linted with types. Components
 * are not: their types take long, and svelte-check has checked them.
 */
import eslint from "@eslint/js";
import svelte from "eslint-plugin-svelte";
import typescript from "typescript-eslint";
import { composing } from "./composing.js";
import { GENERATED, layers } from "./layers.js";

export default typescript.config(
  { ignores: GENERATED.map((name) => `src/${name}.ts`) },
  { linterOptions: { reportUnusedDisableDirectives: "error" } },
  eslint.configs.recommended,
  typescript.configs.recommended,
  svelte.configs.recommended,
  {
    files: ["**/*.ts"],
    ignores: ["**/*.svelte.ts", "*.ts", "src/shell/worker.ts"],
    extends: [typescript.configs.recommendedTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      // Handlers may be async: rejections of their promises are programming errors, which the browser reports.
      "@typescript-eslint/no-misused-promises": ["error", { checksVoidReturn: false }],
    },
  },
  {
    files: ["**/*.svelte", "**/*.svelte.ts"],
    languageOptions: { parserOptions: { parser: typescript.parser, extraFileExtensions: [".svelte"] } },
  },
  ...layers,
  composing,
  {
    // Svelte bounds the props of a component by Record<string, any>.
    files: ["src/ui/{Lazy*.svelte,lazy.svelte.ts}"],
    rules: { "@typescript-eslint/no-explicit-any": "off" },
  },
  {
    rules: {
      // The compiler reports both, and knows the types and the globals.
      "no-undef": "off",
      "@typescript-eslint/no-unused-vars": "off",
      // The state is immutable or wrapped in $state.raw; the collections that are changed in place are not shown.
      "svelte/prefer-svelte-reactivity": "off",
      // {" "} and {": "} keep spaces that the compiler would strip at the end of a block.
      "svelte/no-useless-mustaches": "off",
      // It runs the compiler again, and does not know all of its warnings; svelte-check fails on those.
      "svelte/no-unused-svelte-ignore": "off",
    },
  },
);
