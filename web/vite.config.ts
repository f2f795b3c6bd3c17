import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vitest/config";
import { assets } from "./assets";
import { emoji } from "./emoji";
import { fonts } from "./fonts";
import { markdown } from "./markdown";
import { shape } from "./shape";

/** In place of the larger half of markdown-it, which the Markdown of messages does not use. */
const light = new URL("src/features/messages/markup/substitutes.ts", import.meta.url).pathname;

/** What is needed at once is one file: it is smaller than many, and asked for at once. */
const FIRST = { name: "first", tags: ["$initial" as const], test: (id: string) => !id.includes("/src/shell/worker") };

// Assets are addressed relative to the page, so that the same build works under any root path.
// Nothing may be inlined: the Content-Security-Policy allows neither inline code nor data: fonts.
export default defineConfig({
  base: "./",
  define: { __SHAPE__: JSON.stringify(shape()) },
  plugins: [svelte(), emoji(), fonts(), markdown(), assets()],
  resolve: { alias: { entities: light, "linkify-it": light, mdurl: light, "punycode.js": light, "uc.micro": light } },
  build: {
    outDir: "../src/hubbub/web_dist",
    emptyOutDir: true,
    assetsInlineLimit: 0,
    // A style that could not be loaded is never asked for again.
    cssCodeSplit: false,
    modulePreload: { polyfill: false },
    target: "es2022",
    rolldownOptions: {
      input: { index: "index.html", sw: "src/shell/worker.ts" },
      // A service worker has to lie where the page lies, under one name for ever.
      output: { entryFileNames: ({ name }) => (name === "sw" ? "sw.js" : "assets/[name]-[hash].js"), codeSplitting: { groups: [FIRST] } },
    },
  },
  server: {
    proxy: {
      "/api": "http://127.0.0.1:8000",
      "/users": "http://127.0.0.1:8000",
      "/ws": { target: "ws://127.0.0.1:8000", ws: true },
    },
  },
  // markdown-it goes through the aliases in tests too.
  // A busy machine stands still for seconds: the limit is for tests that never end.
  test: { include: ["tests/**/*.test.ts"], testTimeout: 60_000, server: { deps: { inline: ["markdown-it"] } } },
});
