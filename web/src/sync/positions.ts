/**
 * How far each topic has been applied, and what is known to be missing. Pure.
 *
 * The client's rule, the same everywhere: seq == last+1 apply; seq <= last ignore; else fetch what is missing.
 */
export interface Position {
  /** The last event applied; null for a topic that is heard of but not followed yet. */
  readonly last: number | null;
  /** The highest seq known to exist. */
  readonly top: number;
  /** The id of the question that will bring the next page; null if none is under way. */
  readonly asking: number | null;
}

export type Positions = Readonly<Record<string, Position>>;

/** A gap longer than this is not replayed: the state is loaded anew. */
export const LONGEST_REPLAY = 1000;

export type Verdict = "apply" | "ignore" | "gap" | "unknown";

export function judge(positions: Positions, topic: string, seq: number): Verdict {
  const last = positions[topic]?.last ?? null;
  if (last === null) return "unknown";
  if (seq <= last) return "ignore";
  return seq === last + 1 ? "apply" : "gap";
}

/** Start or restart a topic at `last`; what is known to exist above it stays known. */
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

/** True where something is missing and nobody has asked for it. */
export function hasGap(positions: Positions, topic: string): boolean {
  const now = positions[topic];
  return now !== undefined && now.last !== null && now.asking === null && now.top > now.last;
}

/** What the server takes in one `hello`. */
export const MAX_HAVE = 2000;

/** For `hello`: what we have, topic by topic; as much of it as the server takes. */
export function have(positions: Positions): Record<string, number> {
  const followed = Object.entries(positions).flatMap(([topic, { last }]) => (last === null ? [] : [[topic, last]]));
  return Object.fromEntries(followed.slice(0, MAX_HAVE)) as Record<string, number>;
}

/** After a lost connection nothing is under way. */
export function interrupted(positions: Positions): Positions {
  return Object.fromEntries(Object.entries(positions).map(([topic, now]) => [topic, { ...now, asking: null }]));
}
