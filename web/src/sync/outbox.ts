/**
 * Messages on their way out, by key. Pure.
 *
 * In each room at most one is unacknowledged, so that they arrive in the order they were written; a retry keeps its
 * key, so that the server stores it once whatever happened to the first try.
 */
import type { Refusal } from "./frames";

export type OutgoingStatus = "waiting" | "sending" | "sent" | "failed";

export interface Outgoing {
  readonly key: string;
  readonly room: number;
  readonly body: string;
  /** The seq of the message it answers. */
  readonly reply_to?: number;
  /** When it was written (ms since 1970). */
  readonly at: number;
  readonly status: OutgoingStatus;
  /** When `sent`: its position, until the event itself arrives. */
  readonly seq?: number;
  /** When `failed`: why. */
  readonly error?: Refusal;
  /** When `waiting` because the server asked for patience: until when (ms since 1970). */
  readonly notBefore?: number;
}

export type Outbox = readonly Outgoing[];

/** Refusals after which the same thing may succeed a little later. */
export const RETRYABLE: ReadonlySet<string> = new Set(["rate_limited", "busy", "unavailable"]);
/** How long to wait where the server does not say it. */
export const PATIENCE_S = 2;

/** Times grow, so that whoever finds them again can tell their order. */
export function add(outbox: Outbox, one: Omit<Outgoing, "status">): Outbox {
  return [...outbox, { ...waiting(one), at: Math.max(one.at, (outbox.at(-1)?.at ?? 0) + 1) }];
}

export function discard(outbox: Outbox, key: string): Outbox {
  return outbox.filter((one) => one.key !== key);
}

/** A failed one goes to the end of the queue, under its old key. */
export function retry(outbox: Outbox, key: string): Outbox {
  const found = outbox.find((one) => one.key === key && one.status === "failed");
  return found ? add(discard(outbox, key), found) : outbox;
}

/** The connection is gone: what was under way has to be sent again. */
export function interrupted(outbox: Outbox): Outbox {
  return outbox.map((one) => (one.status === "sending" ? waiting(one) : one));
}

/** What may be sent now: the first of each room that is not already waiting for an answer. */
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

/** When the next one that has to be patient becomes due; null if none has to. */
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

/** What the log shows to have arrived is no longer on its way. */
export function arrived(outbox: Outbox, room: number, last: number, key?: string): Outbox {
  const here = (one: Outgoing): boolean =>
    one.room === room && (one.key === key || (one.status === "sent" && one.seq !== undefined && one.seq <= last));
  return outbox.some(here) ? outbox.filter((one) => !here(one)) : outbox;
}

/** Those that can still be written, and those whose room one is in no longer: what has not arrived of them. */
export function sorted(outbox: Outbox, isThere: (room: number) => boolean): { still: Outbox; unsent: Outbox } {
  const still = outbox.filter((one) => isThere(one.room));
  const unsent = outbox.filter((one) => !isThere(one.room) && one.status !== "sent");
  return { still, unsent };
}

/** Behind what is there, each of them once. */
export function joined(outbox: Outbox, more: Outbox): Outbox {
  const known = new Set(outbox.map((one) => one.key));
  return [...outbox, ...more.filter((one) => !known.has(one.key))];
}

/** As it was written, without what has become of it so far. */
export function waiting({ key, room, body, reply_to, at }: Omit<Outgoing, "status">): Outgoing {
  return { key, room, body, ...(reply_to ? { reply_to } : {}), at, status: "waiting" };
}

function change(outbox: Outbox, key: string, to: (one: Outgoing) => Outgoing): Outbox {
  return outbox.map((one) => (one.key === key ? to(one) : one));
}
