/** Has this browser keep the page itself, so that it opens without the server (worker.ts). */
import { root } from "../net/urls";

let registered = false;

/** Needs a safe connection and a browser that can; where there is none, the page opens when the server is there. */
export function registerShell(): void {
  if (registered || import.meta.env.DEV || !("serviceWorker" in navigator)) return;
  registered = true;
  void register().catch(() => {});
}

async function register(): Promise<void> {
  await navigator.serviceWorker.register(script(), { scope: root().pathname, updateViaCache: "none" });
}

interface TrustedTypes {
  createPolicy(name: string, rules: { createScriptURL: () => string }): { createScriptURL(url: string): string };
}

/** Under Trusted Types an address of a script needs a policy. This one knows one address; a page may make it once. */
function script(): string {
  const url = new URL("sw.js", root()).href;
  const types = (window as { trustedTypes?: TrustedTypes }).trustedTypes;
  return types ? types.createPolicy("hubbub-shell", { createScriptURL: () => url }).createScriptURL(url) : url;
}
