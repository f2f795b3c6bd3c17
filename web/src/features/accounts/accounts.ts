/** What one can do with an account: make it, enter and leave it, change its password, delete it. */
import { SUPERSEDED } from "../../chat.svelte";
import type { Site } from "../../contract";
import { forgetPerson, hasUnsent } from "../../persistence";
import { get, post, Refusal, remove } from "../../net/http";
import type { User } from "../../state/model";

export type { Site };

export const loadSite = (): Promise<Site> => get<Site>("api/setup");

/** The person this browser is logged in as; null for nobody. */
export async function whoAmI(): Promise<User | null> {
  try {
    return await get<User>("users/me");
  } catch (error) {
    if (error instanceof Refusal && error.code === "unauthenticated") return null;
    throw error;
  }
}

export const logIn = (username: string, password: string): Promise<User> =>
  post<User>("api/login", { username, password });

export type Ticket = { invite: string } | { setup: string } | Record<never, never>;

/** Whose account may be there already, since the answer that said so was lost or could not be followed by a log-in. */
let perhaps: string | null = null;

/** Make the account and enter it; trying again after a lost answer enters the account that the lost one made. */
export async function signUp(username: string, password: string, ticket: Ticket): Promise<User> {
  try {
    await post("api/accounts", { username, password, ...ticket });
    perhaps = username;
  } catch (error) {
    const code = error instanceof Refusal ? error.code : "";
    if (perhaps === username && (code === "conflict" || code === "forbidden")) {
      return logIn(username, password).catch(() => Promise.reject(error));
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
  post("api/password", { current_password: current, new_password: changed });

export const resetPassword = (token: string, password: string): Promise<void> => post("api/reset", { token, password });

export async function deleteAccount(user: number, password: string): Promise<void> {
  await remove("api/accounts/me", { password });
  await forgetPerson(user);
}

export const SHORTEST_PASSWORD = 8;

/** Why one is at the login screen although one was in, and what waits here; null where it needs no words. */
export function farewell(code: number, user?: number): string | null {
  const waits = user !== undefined && code !== SUPERSEDED && hasUnsent(user);
  return waits ? `${why(code)} What you had not sent waits in this browser, unless you have logged out of it.` : why(code);
}

function why(code: number): string | null {
  switch (code) {
    case SUPERSEDED:
      return "Somebody else has logged in in this browser. Reload the page to go on as they do, or log in again.";
    case 4501:
      return "Your session is over. Log in again to go on.";
    case 4503:
      return "This session was ended: by a log-out, a password change, or from another device.";
    case 4510:
      return "This account has been closed to you. Ask the owner of this place.";
    default:
      return "The server ended this session. Log in again to go on.";
  }
}
