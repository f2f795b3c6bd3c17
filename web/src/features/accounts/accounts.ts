/** Account actions: sign up, log in, log out, change the password, delete the account. */
import { SUPERSEDED } from "../../chat.svelte";
import type { Site } from "../../contract";
import { forgetPerson, hasUnsent } from "../../persistence";
import { get, post, put, Refusal, remove } from "../../net/http";
import type { User } from "../../state/model";

export type { Site };

export const loadSite = (): Promise<Site> => get<Site>("api/site");

/** Return the user this browser is logged in as, or null. */
export async function whoAmI(): Promise<User | null> {
  try {
    return await get<User>("users/me");
  } catch (error) {
    if (error instanceof Refusal && error.code === "unauthenticated") return null;
    throw error;
  }
}

export const logIn = (username: string, password: string): Promise<User> => post<User>("api/login", { username, password });

export type Ticket = { invite: string } | { setup: string } | Record<never, never>;

/**
 * The username whose account may exist already: the answer to its sign-up was lost, or the log-in
 * after it failed.
 */
let perhaps: string | null = null;

/**
 * Create the account and log in. A retry after a lost answer logs in to the account that the lost
 * request created.
 */
export async function signUp(username: string, password: string, ticket: Ticket): Promise<User> {
  try {
    await post("api/users", { username, password, ...ticket });
    perhaps = username;
  } catch (error) {
    const code = error instanceof Refusal ? error.code : "";
    if (perhaps === username && (code === "conflict" || code === "forbidden")) {
      return logIn(username, password).catch(() => {
        throw error;
      });
    }
    perhaps = ["unreachable", "unavailable", "internal"].includes(code) ? username : null;
    throw error;
  }
  return logIn(username, password);
}

export async function logOut(user: number): Promise<void> {
  await post("api/logout");
  await forgetPerson(user);
}

export const changePassword = (current: string, changed: string): Promise<void> =>
  put("api/users/me/password", { current_password: current, new_password: changed });

export const resetPassword = (token: string, password: string): Promise<void> => post("api/reset", { token, password });

export async function deleteAccount(user: number, password: string): Promise<void> {
  await remove("api/users/me", { password });
  await forgetPerson(user);
}

/**
 * The message for the log-in screen after a session ended: why, and what is still stored here; null
 * if none is needed.
 */
export function sessionEndMessage(code: number, user?: number): string | null {
  const waits = user !== undefined && code !== SUPERSEDED && hasUnsent(user);
  return waits ? `${reasonOf(code)} Your unsent messages are still in this browser, unless you logged out of it.` : reasonOf(code);
}

function reasonOf(code: number): string | null {
  switch (code) {
    case SUPERSEDED:
      return "Another account is now logged in on this browser. Reload the page to use it, or log in again.";
    case 4501:
      return "Your session has expired. Log in again to continue.";
    case 4503:
      return "You were logged out. You may have logged out elsewhere or changed your password.";
    case 4510:
      return "This account has been disabled. Contact the site's owner.";
    default:
      return "The server ended this session. Log in again to continue.";
  }
}
