/** Choose how one appears to others. */
import type { NewStatus } from "../../contract";
import { put } from "../../net/http";
import type { Shown } from "./words";

export const LONGEST_STATUS = 100;

export const appear = (wanted: NewStatus): Promise<unknown> => put("api/presence", wanted);

/** Something of what one has chosen becomes different; all of it is said anew. */
export function changed({ status, text = "", emoji, until }: Shown, change: NewStatus): NewStatus {
  const wanted = { status: status === "offline" ? "online" : status, text, emoji: emoji ?? null, until: until ?? null, ...change } as const;
  // Of whom there is nothing to say, that has no end.
  return wanted.status === "online" && !wanted.text && !wanted.emoji ? { ...wanted, until: null } : wanted;
}
