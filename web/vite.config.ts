import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vitest/config";
import { assets } from "./assets";
import { emoji } from "./emoji";
import { fonts } from "./fonts";
import { hover } from "./hover";
import { markdown } from "./markdown";
import { shape } from "./shape";

/** Stubs for the larger half of markdown-it, which messages do not use. */
const light = new URL("src/features/markup/substitutes.ts", import.meta.url).pathname;

/**
 * Everything that the page needs at once is one file: it compresses better than many, and one
 * request loads it.
 */
const FIRST = { name: "first", tags: ["$initial" as const], test: (id: string) => !id.includes("/src/shell/worker") };

// Asset URLs are relative to the page, so that the same build works under any root path. Nothing
// may be inlined: the Content-Security-Policy allows neither inline code nor data: fonts.
export default defineConfig({
  base: "./",
  define: { __SHAPE__: JSON.stringify(shape()) },
  plugins: [svelte(), emoji(), fonts(), markdown(), assets()],
  css: { postcss: { plugins: [hover as never] } },
  resolve: { alias: { entities: light, "linkify-it": light, mdurl: light, "punycode.js": light, "uc.micro": light } },
  build: {
    outDir: "../src/hubbub/web_dist",
    emptyOutDir: true,
    assetsInlineLimit: 0,
    // A style sheet that failed to load is never requested again, so there is only one.
    cssCodeSplit: false,
    modulePreload: { polyfill: false },
    target: "es2022",
    rolldownOptions: {
      input: { index: "index.html", sw: "src/shell/worker.ts" },
      checks: { circularDependency: true },
      onLog(level, log, handle) {
        if (log.code === "CIRCULAR_DEPENDENCY" && !log.message.includes("node_modules")) throw new Error(log.message);
        handle(level, log);
      },
      // The service worker must be next to the page, under a name that never changes.
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
  // In tests, too, markdown-it must use the aliases. The long timeout is for tests that never end:
  // a busy machine may stall for seconds.
  test: { include: ["tests/**/*.test.ts"], testTimeout: 60_000, server: { deps: { inline: ["markdown-it"] } } },
});
