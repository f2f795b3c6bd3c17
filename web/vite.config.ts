import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vitest/config";
import type { Rolldown } from "vite";
import { assets } from "./assets";
import { emoji } from "./emoji";
import { fonts } from "./fonts";
import { hover } from "./hover";
import { markdown } from "./markdown";
import { shape } from "./shape";

type ChunkingContext = Rolldown.ChunkingContext;

/** Stubs for the larger half of markdown-it, which messages do not use. */
const light = new URL("src/features/markup/substitutes.ts", import.meta.url).pathname;

/**
 * Everything that the page needs at once is one file: it compresses better than many, and one
 * request loads it.
 */
const FIRST = { name: "first", tags: ["$initial" as const], test: (id: string) => !/\/src\/(shell\/worker|element)/.test(id) };
/**
 * The chat is one more file, although the page of one room needs most of it, too: split into what
 * they share and what they do not, it would be larger for everyone.
 */
const CHAT = { name: (id: string, modules: ChunkingContext) => (neededByChat(modules).has(id) ? "chat" : null) };
let chat: ReadonlySet<string> | undefined;

/** Return the modules that the chat imports at once, without those of the screen before it. */
function neededByChat(modules: ChunkingContext): ReadonlySet<string> {
  if (chat) return chat;
  const before = imported("src/features/accounts/Entrance.svelte", modules);
  const [, ...needed] = imported("src/ChatScreen.svelte", modules);
  return (chat = new Set(needed.filter((id) => !before.has(id))));
}

function imported(path: string, modules: ChunkingContext): Set<string> {
  const found = new Set([new URL(path, import.meta.url).pathname]);
  for (const id of found) for (const next of modules.getModuleInfo(id)?.importedIds ?? []) found.add(next);
  return found;
}

/** Scripts that are next to the page, under names that never change. */
const FIXED: readonly string[] = ["sw", "embed"];

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
      input: { index: "index.html", sw: "src/shell/worker.ts", embed: "src/element/room.ts" },
      checks: { circularDependency: true },
      onLog(level, log, handle) {
        if (log.code === "CIRCULAR_DEPENDENCY" && !log.message.includes("node_modules")) throw new Error(log.message);
        handle(level, log);
      },
      output: {
        entryFileNames: ({ name }) => (FIXED.includes(name) ? "[name].js" : "assets/[name]-[hash].js"),
        codeSplitting: { groups: [{ ...FIRST, priority: 1 }, CHAT], includeDependenciesRecursively: false },
      },
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
