/**
 * Lists in the page all assets that are loaded on demand, so that the service worker
 * (`src/shell/worker.ts`) caches them too.
 */
import type { Plugin } from "vite";

export function assets(): Plugin {
  return {
    name: "assets",
    transformIndexHtml: {
      order: "post",
      handler(html, { bundle }) {
        const later = Object.keys(bundle ?? {}).filter(
          (name) => name.startsWith("assets/") && !name.endsWith(".map") && !html.includes(name),
        );
        const content = later
          .sort()
          .map((name) => `./${name}`)
          .join(" ");
        return later.length ? [{ tag: "meta", attrs: { name: "hubbub-later", content }, injectTo: "head" }] : [];
      },
    },
  };
}
