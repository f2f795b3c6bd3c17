/** Set the user's status. */
import type { NewStatus } from "../../contract";
import { put } from "../../net/http";
import type { Shown } from "./words";

export const appear = (wanted: NewStatus): Promise<unknown> => put("api/presence", wanted);

/** Return the complete status with a change applied: the server replaces all of it. */
export function changed({ status, text = "", emoji, until }: Shown, change: NewStatus): NewStatus {
  const wanted = { status: status === "offline" ? "online" : status, text, emoji: emoji ?? null, until: until ?? null, ...change } as const;
  // Plain online without a text has no end.
  return wanted.status === "online" && !wanted.text && !wanted.emoji ? { ...wanted, until: null } : wanted;
}
