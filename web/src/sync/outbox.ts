/**
 * The outbox: outgoing messages by key. Pure.
 *
 * In each room at most one message is unacknowledged, so that messages arrive in the order they
 * were written. A retry keeps its key, so that the server stores the message once, whatever
 * happened to the first try.
 */
import type { Refusal } from "./frames";

export type OutgoingStatus = "waiting" | "sending" | "sent" | "failed";

export interface Outgoing {
  readonly key: string;
  readonly room: number;
  readonly body: string;
  /** The seq of the message it replies to. */
  readonly reply_to?: number;
  /** When it was written (ms since 1970). */
  readonly at: number;
  readonly status: OutgoingStatus;
  /** When `sent`: its seq, until the event arrives. */
  readonly seq?: number;
  /** When `failed`: the error. */
  readonly error?: Refusal;
  /** When `waiting` because the server asked to retry later: the earliest time (ms since 1970). */
  readonly notBefore?: number;
}

export type Outbox = readonly Outgoing[];

/** Error codes after which a retry may succeed. */
export const RETRYABLE: ReadonlySet<string> = new Set(["rate_limited", "busy", "unavailable"]);
/** The wait in seconds if the server gives none. */
export const PATIENCE_S = 2;

/** Add a message. Times increase, so that the order can be restored from storage. */
export function add(outbox: Outbox, one: Omit<Outgoing, "status">): Outbox {
  return [...outbox, { ...waiting(one), at: Math.max(one.at, (outbox.at(-1)?.at ?? 0) + 1) }];
}

export function discard(outbox: Outbox, key: string): Outbox {
  return outbox.filter((one) => one.key !== key);
}

/** Move a failed message to the end of the queue, with its old key. */
export function retry(outbox: Outbox, key: string): Outbox {
  const found = outbox.find((one) => one.key === key && one.status === "failed");
  return found ? add(discard(outbox, key), found) : outbox;
}

/** The connection is lost: messages under way have to be sent again. */
export function interrupted(outbox: Outbox): Outbox {
  return outbox.map((one) => (one.status === "sending" ? waiting(one) : one));
}

/** Return the messages to send now: the first of each room without a send under way. */
export function due(outbox: Outbox, now: number): Outgoing[] {
  const seen = new Set<number>();
  const found: Outgoing[] = [];
  for (const one of outbox) {
    if (seen.has(one.room) || one.status === "failed" || one.status === "sent") continue;
    seen.add(one.room);
    if (one.status === "waiting" && (one.notBefore ?? 0) <= now) found.push(one);
  }
  return found;
}

/** Return when the next postponed message is due; null if there is none. */
export function nextDue(outbox: Outbox): number | null {
  const times = outbox.flatMap((one) => (one.status === "waiting" && one.notBefore ? [one.notBefore] : []));
  return times.length ? Math.min(...times) : null;
}

export function sending(outbox: Outbox, key: string): Outbox {
  return change(outbox, key, (one) => ({ ...waiting(one), status: "sending" }));
}

export function acknowledged(outbox: Outbox, key: string, seq: number): Outbox {
  return change(outbox, key, (one) => ({ ...waiting(one), status: "sent", seq }));
}

export function refused(outbox: Outbox, key: string, error: Refusal, now: number): Outbox {
  return change(outbox, key, (one) =>
    RETRYABLE.has(error.code)
      ? { ...waiting(one), notBefore: now + (error.retry_after ?? PATIENCE_S) * 1000 }
      : { ...waiting(one), status: "failed", error },
  );
}

/** Drop messages that the log has confirmed. */
export function arrived(outbox: Outbox, room: number, last: number, key?: string): Outbox {
  const here = (one: Outgoing): boolean =>
    one.room === room && (one.key === key || (one.status === "sent" && one.seq !== undefined && one.seq <= last));
  return outbox.some(here) ? outbox.filter((one) => !here(one)) : outbox;
}

/** Split into messages whose room the user is still in, and unsent messages of other rooms. */
export function sorted(outbox: Outbox, isThere: (room: number) => boolean): { still: Outbox; unsent: Outbox } {
  const still = outbox.filter((one) => isThere(one.room));
  const unsent = outbox.filter((one) => !isThere(one.room) && one.status !== "sent");
  return { still, unsent };
}

/** Append messages that are not there yet. */
export function joined(outbox: Outbox, more: Outbox): Outbox {
  const known = new Set(outbox.map((one) => one.key));
  return [...outbox, ...more.filter((one) => !known.has(one.key))];
}

/** Return the message as it was written, without its sending state. */
export function waiting({ key, room, body, reply_to, at }: Omit<Outgoing, "status">): Outgoing {
  return { key, room, body, ...(reply_to ? { reply_to } : {}), at, status: "waiting" };
}

function change(outbox: Outbox, key: string, to: (one: Outgoing) => Outgoing): Outbox {
  return outbox.map((one) => (one.key === key ? to(one) : one));
}
