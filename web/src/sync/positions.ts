/**
 * How far each topic is applied, and what is known to be missing. Pure.
 *
 * The rule of every client: seq == last+1: apply; seq <= last: ignore; else fetch what is missing.
 */
import { MAX_HAVE } from "../limits";

export interface Position {
  /** The last applied seq; null for a topic that is known but not followed yet. */
  readonly last: number | null;
  /** The highest seq known to exist. */
  readonly top: number;
  /** The id of the pending request for the next page; null if there is none. */
  readonly asking: number | null;
}

export type Positions = Readonly<Record<string, Position>>;

/** A longer gap is not replayed: the state is loaded anew. */
export const LONGEST_REPLAY = 1000;

export type Verdict = "apply" | "ignore" | "gap" | "unknown";

export function judge(positions: Positions, topic: string, seq: number): Verdict {
  const last = positions[topic]?.last ?? null;
  if (last === null) return "unknown";
  if (seq <= last) return "ignore";
  return seq === last + 1 ? "apply" : "gap";
}

/** Start or restart a topic at `last`; the highest known seq is kept. */
export function follow(positions: Positions, topic: string, last: number): Positions {
  const top = Math.max(positions[topic]?.top ?? 0, last);
  return { ...positions, [topic]: { last, top, asking: null } };
}

export function advance(positions: Positions, topic: string, seq: number): Positions {
  const now = positions[topic];
  return { ...positions, [topic]: { last: seq, top: Math.max(now?.top ?? 0, seq), asking: now?.asking ?? null } };
}

export function heardOf(positions: Positions, topic: string, seq: number): Positions {
  const now = positions[topic] ?? { last: null, top: 0, asking: null };
  return seq > now.top ? { ...positions, [topic]: { ...now, top: seq } } : positions;
}

export function asking(positions: Positions, topic: string, id: number | null): Positions {
  const now = positions[topic];
  return now ? { ...positions, [topic]: { ...now, asking: id } } : positions;
}

export function forget(positions: Positions, topic: string): Positions {
  const { [topic]: _, ...rest } = positions;
  return rest;
}

/** True if events are missing and no request is pending. */
export function hasGap(positions: Positions, topic: string): boolean {
  const now = positions[topic];
  return now !== undefined && now.last !== null && now.asking === null && now.top > now.last;
}

/** For `hello`: the applied positions, up to the server's limit. */
export function have(positions: Positions): Record<string, number> {
  const followed = Object.entries(positions).flatMap(([topic, { last }]) => (last === null ? [] : [[topic, last]]));
  return Object.fromEntries(followed.slice(0, MAX_HAVE)) as Record<string, number>;
}

/** After a lost connection no request is pending. */
export function interrupted(positions: Positions): Positions {
  return Object.fromEntries(Object.entries(positions).map(([topic, now]) => [topic, { ...now, asking: null }]));
}
