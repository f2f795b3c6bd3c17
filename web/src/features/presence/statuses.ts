/** Set the user's status. */
import type { SetStatusBody } from "../../contract";
import { put } from "../../net/http";
import type { Shown } from "./words";

export const appear = (wanted: SetStatusBody): Promise<unknown> => put("api/users/me/status", wanted);

/** Return the complete status with a change applied: the server replaces all of it. */
export function changed({ status, text = "", emoji, until }: Shown, change: SetStatusBody): SetStatusBody {
  const wanted = { status: status === "offline" ? "online" : status, text, emoji: emoji ?? null, until: until ?? null, ...change } as const;
  // Plain online without a text has no end.
  return wanted.status === "online" && !wanted.text && !wanted.emoji ? { ...wanted, until: null } : wanted;
}
