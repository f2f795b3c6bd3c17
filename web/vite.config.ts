import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vitest/config";

// Assets are addressed relative to the page, so that the same build works under any root path.
// Nothing may be inlined: the Content-Security-Policy allows neither inline code nor data: fonts.
export default defineConfig({
  base: "./",
  plugins: [svelte()],
  build: {
    outDir: "../src/hubbub/web_dist",
    emptyOutDir: true,
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    target: "es2022",
  },
  server: {
    proxy: {
      "/api": "http://127.0.0.1:8000",
      "/users": "http://127.0.0.1:8000",
      "/ws": { target: "ws://127.0.0.1:8000", ws: true },
    },
  },
  test: { include: ["tests/**/*.test.ts"] },
});
