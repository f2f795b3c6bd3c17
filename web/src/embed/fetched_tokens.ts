/** Gets bearer tokens from an endpoint of the host application (`token_url`). */
import { Refusal } from "../net/http";
import type { TokenSource } from "../net/tokens";

/** Ask for a new token this long before the present one ends. */
const MARGIN_MS = 30_000;

/**
 * Return a source for the endpoint. It answers `{"token": "…"}`, or 401, 403 or 204 if it knows no
 * user. `ends` is called shortly before a token with `expires_in` (seconds) ends.
 */
export function fetchedTokens(url: string, ends: () => void): TokenSource {
  let timer: ReturnType<typeof setTimeout> | undefined;
  return async () => {
    const answer = await fetch(url, {
      headers: { Accept: "application/json" },
      credentials: "same-origin",
      cache: "no-store",
      redirect: "error",
    }).catch(() => null);
    if (!answer) throw new Refusal("unreachable", "Can't reach the server. Check your connection and try again.");
    if ([204, 401, 403].includes(answer.status)) return null;
    const { token, lasts } = parsed(await answer.json().catch(() => null));
    if (!answer.ok || token === undefined) throw new Refusal("internal", "Can't log in to the chat at the moment. Try again.");
    clearTimeout(timer);
    if (lasts > 0) timer = setTimeout(ends, Math.min(2 ** 31 - 1, Math.max(lasts - MARGIN_MS, lasts / 2)));
    return token;
  };
}

/** `lasts` is in ms; 0 if the answer does not say it. */
function parsed(body: unknown): { token?: string | null; lasts: number } {
  const found = (body ?? {}) as { token?: unknown; expires_in?: unknown };
  const lasts = typeof found.expires_in === "number" && found.expires_in > 0 ? found.expires_in * 1000 : 0;
  if (found.token === null) return { token: null, lasts: 0 };
  return typeof found.token === "string" && found.token ? { token: found.token, lasts } : { lasts: 0 };
}
