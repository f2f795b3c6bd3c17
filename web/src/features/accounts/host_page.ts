/**
 * What the server writes into the page for the host application it is mounted in, and the way to
 * the host application's log-in page and back.
 */
import { root } from "../../net/urls";

export interface HostSettings {
  /** The page shows one room, in a frame. */
  readonly embedded?: boolean;
  /** The origins of pages that may show this page in a frame. */
  readonly ancestors?: readonly string[];
  readonly login_url?: string;
  readonly token_url?: string;
}

/** A second visit to the log-in page within this time is left to the user, so that no loop arises. */
const APART_MS = 60_000;

export function hostSettings(): HostSettings {
  const content = document.querySelector<HTMLMetaElement>("meta[name=hubbub-host]")?.content;
  return content ? (JSON.parse(content) as HostSettings) : {};
}

/** Return the address of the log-in page; null if there is none. `next` is the path of this page. */
export function logInAddress(): string | null {
  const { login_url, embedded } = hostSettings();
  if (!login_url) return null;
  const address = new URL(login_url, location.href);
  // The page around a frame knows better where to return to.
  if (!embedded) address.searchParams.set("next", location.pathname);
  return address.href;
}

const key = (): string => `hubbub-log-in:${root().pathname}`;

/** Go to the log-in page, unless the visitor has just come from there. */
export function goToLogIn(address: string, now = Date.now()): void {
  const last = recall();
  if (last && now - last.at < APART_MS) return;
  leaveForLogIn(now);
  location.replace(address);
}

/**
 * Keep the part of the address after `#`, a room or the secret of an invite, in this window alone:
 * the host application's server never sees it.
 */
export const leaveForLogIn = (now = Date.now()): void => keep({ at: now, hash: location.hash, path: location.pathname });

/** Restore the address after the log-in, once. */
export function returnFromLogIn(): void {
  const last = recall();
  if (!last?.hash) return;
  keep({ ...last, hash: "" });
  if (!location.hash && last.path === location.pathname) history.replaceState(null, "", last.hash);
}

/** When the visitor left, and from where. */
interface Left {
  readonly at: number;
  readonly hash: string;
  readonly path: string;
}

function keep(left: Left): void {
  try {
    sessionStorage.setItem(key(), JSON.stringify(left));
  } catch {
    // Without storage the visitor follows the link again.
  }
}

function recall(): Left | null {
  try {
    return JSON.parse(sessionStorage.getItem(key()) ?? "null") as Left | null;
  } catch {
    return null;
  }
}
