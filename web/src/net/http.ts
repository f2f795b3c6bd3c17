/**
 * JSON over HTTP with the browser's cookie. Every failure is a `Refusal` with a code and a
 * sentence. Independent of the chat.
 */
import { renewed, token } from "./tokens";
import { httpUrl } from "./urls";

export class Refusal extends Error {
  constructor(
    readonly code: string,
    message: string,
    /** Seconds to wait before a retry, if the server said so. */
    readonly retryAfter: number | null = null,
  ) {
    super(message);
  }
}

type Method = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";

export const get = <T>(path: string): Promise<T> => request<T>("GET", path);
export const post = <T>(path: string, body: object = {}): Promise<T> => request<T>("POST", path, body);
export const put = <T>(path: string, body: object = {}): Promise<T> => request<T>("PUT", path, body);
export const patch = <T>(path: string, body: object): Promise<T> => request<T>("PATCH", path, body);
export const remove = <T>(path: string, body?: object): Promise<T> => request<T>("DELETE", path, body);

async function request<T>(method: Method, path: string, body?: object, again = true): Promise<T> {
  const headers: Record<string, string> = { Accept: "application/json" };
  if (body) headers["Content-Type"] = "application/json";
  const used = await token();
  if (used) headers["Authorization"] = `Bearer ${used}`;
  let answer: Response;
  try {
    answer = await fetch(httpUrl(path), {
      method,
      headers,
      credentials: "same-origin",
      ...(body ? { body: JSON.stringify(body) } : {}),
    });
  } catch {
    throw new Refusal("unreachable", "Can't reach the server. Check your connection and try again.");
  }
  if (answer.status === 401 && used && again && (await renewed(used))) return request(method, path, body, false);
  const parsed: unknown = await answer.json().catch(() => null);
  if (!answer.ok) throw refusal(parsed, answer.status);
  return parsed as T;
}

/**
 * True if assets can be loaded: the server answers, or a service worker has stored them
 * (`shell/worker.ts`).
 */
export async function isThere(): Promise<boolean> {
  if (navigator.serviceWorker?.controller) return true;
  return fetch(httpUrl(""), { method: "HEAD", cache: "no-store" }).then(
    ({ ok }) => ok,
    () => false,
  );
}

/** Return the server's own message if there is one, otherwise a sentence that says what to do. */
export function refusal(body: unknown, status: number): Refusal {
  const error = (body as { error?: { code?: unknown; message?: unknown; retry_after?: unknown } } | null)?.error;
  if (typeof error?.code === "string" && typeof error.message === "string") {
    return new Refusal(error.code, words(error.message), typeof error.retry_after === "number" ? error.retry_after : null);
  }
  return new Refusal("internal", `The server had an error (${status}). Try again in a moment.`);
}

/** Strip the field name that messages have for programs (`username: a name has …`). */
function words(message: string): string {
  return message.replace(/^[a-z_]+: (.)/, (_, first: string) => first.toUpperCase());
}

/** Return a sentence for the user about any failure. */
export function sentence(error: unknown): string {
  return error instanceof Refusal ? error.message : "Something went wrong. Reload the page and try again.";
}
