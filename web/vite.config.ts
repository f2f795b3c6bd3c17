import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vitest/config";
import { emoji } from "./emoji";
import { shape } from "./shape";

/** In place of the larger half of markdown-it, which the Markdown of messages does not use. */
const light = new URL("src/features/messages/markup/substitutes.ts", import.meta.url).pathname;

// Assets are addressed relative to the page, so that the same build works under any root path.
// Nothing may be inlined: the Content-Security-Policy allows neither inline code nor data: fonts.
export default defineConfig({
  base: "./",
  define: { __SHAPE__: JSON.stringify(shape()) },
  plugins: [svelte(), emoji()],
  resolve: { alias: { entities: light, "linkify-it": light, mdurl: light, "punycode.js": light, "uc.micro": light } },
  build: {
    outDir: "../src/hubbub/web_dist",
    emptyOutDir: true,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    target: "es2022",
    rolldownOptions: {
      input: { index: "index.html", sw: "src/shell/worker.ts" },
      // A service worker has to lie where the page lies, under one name for ever.
      output: { entryFileNames: ({ name }) => (name === "sw" ? "sw.js" : "assets/[name]-[hash].js") },
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
  test: { include: ["tests/**/*.test.ts"], server: { deps: { inline: ["markdown-it"] } } },
});
