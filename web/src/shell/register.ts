/**
 * Registers the service worker, which stores the page so that it opens without the server
 * (worker.ts).
 */
import { root } from "../net/urls";

let registered = false;

/**
 * Needs a secure context and browser support; without them, the page opens only when the server is
 * reachable.
 */
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

/**
 * Under Trusted Types a script URL needs a policy. This policy allows one URL; a page may create it
 * once.
 */
function script(): string {
  const url = new URL("sw.js", root()).href;
  const types = (window as { trustedTypes?: TrustedTypes }).trustedTypes;
  return types ? types.createPolicy("hubbub-shell", { createScriptURL: () => url }).createScriptURL(url) : url;
}
