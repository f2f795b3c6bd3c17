/** JSON over HTTP with the browser's cookie. Every failure is a `Refusal` with a code and a sentence. Knows no chat. */
import { httpUrl } from "./urls";

export class Refusal extends Error {
  constructor(
    readonly code: string,
    message: string,
    /** Seconds after which trying again makes sense, if the server said so. */
    readonly retryAfter: number | null = null,
  ) {
    super(message);
  }
}

type Method = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";

export const get = <T>(path: string): Promise<T> => request<T>("GET", path);
export const post = <T>(path: string, body: object = {}): Promise<T> => request<T>("POST", path, body);
export const put = <T>(path: string, body: object): Promise<T> => request<T>("PUT", path, body);
export const patch = <T>(path: string, body: object): Promise<T> => request<T>("PATCH", path, body);
export const remove = <T>(path: string, body?: object): Promise<T> => request<T>("DELETE", path, body);

async function request<T>(method: Method, path: string, body?: object): Promise<T> {
  const headers: Record<string, string> = { Accept: "application/json" };
  if (body) headers["Content-Type"] = "application/json";
  let answer: Response;
  try {
    answer = await fetch(httpUrl(path), {
      method,
      headers,
      credentials: "same-origin",
      ...(body ? { body: JSON.stringify(body) } : {}),
    });
  } catch {
    throw new Refusal("unreachable", "The server cannot be reached. Check the connection and try again.");
  }
  const said: unknown = await answer.json().catch(() => null);
  if (!answer.ok) throw refusal(said, answer.status);
  return said as T;
}

/** True if an asset can be had: the server answers, or a service worker keeps them all (`shell/worker.ts`). */
export async function isThere(): Promise<boolean> {
  if (navigator.serviceWorker?.controller) return true;
  return fetch(httpUrl(""), { method: "HEAD", cache: "no-store" }).then(({ ok }) => ok, () => false);
}

/** The server's own words where it has some; otherwise a sentence that says what one can do. */
export function refusal(said: unknown, status: number): Refusal {
  const error = (said as { error?: { code?: unknown; message?: unknown; retry_after?: unknown } } | null)?.error;
  if (typeof error?.code === "string" && typeof error.message === "string") {
    return new Refusal(error.code, words(error.message), typeof error.retry_after === "number" ? error.retry_after : null);
  }
  return new Refusal("internal", `The server answered with an error (${status}). Try again in a moment.`);
}

/** Programs are told which field is meant (`username: a name has …`); people see it. */
function words(message: string): string {
  return message.replace(/^[a-z_]+: (.)/, (_, first: string) => first.toUpperCase());
}

/** What to tell the person about any failure. */
export function sentence(error: unknown): string {
  return error instanceof Refusal ? error.message : "Something went wrong here. Reload the page and try again.";
}
