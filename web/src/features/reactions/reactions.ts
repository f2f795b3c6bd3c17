/** Reactions as they are shown. Pure. */
import type { Reaction } from "../../contract";

/** A change that the user has just made, until the log confirms it. */
export interface PendingReaction {
  readonly seq: number;
  readonly emoji: string;
  readonly on: boolean;
  /** The seq of the log entry that confirms it; null before the server has answered. */
  readonly until: number | null;
}

/** Return reactions that are true up to `asOf`, with the user's pending changes applied. */
export function withPending(
  reactions: readonly Reaction[],
  asOf: number,
  changes: readonly PendingReaction[],
  me: number,
): readonly Reaction[] {
  return changes.filter(({ until }) => until === null || asOf < until).reduce((now, change) => applyPending(now, change, me), reactions);
}

function applyPending(reactions: readonly Reaction[], { emoji, on }: PendingReaction, me: number): readonly Reaction[] {
  const known = reactions.find((one) => one.emoji === emoji);
  if ((known?.mine ?? false) === on) return reactions;
  if (!known) return [...reactions, { emoji, count: 1, mine: true, users: [me] }];
  const users = on ? [...known.users, me] : known.users.filter((user) => user !== me);
  const changed = { emoji, count: known.count + (on ? 1 : -1), mine: on, users };
  return reactions.flatMap((one) => (one !== known ? one : changed.count > 0 ? changed : []));
}

/** The label for screen readers: "👍 3, you and 2 others". */
export function spoken({ emoji, count, mine }: Reaction): string {
  if (!mine) return `${emoji} ${count.toLocaleString()}`;
  const others = count - 1;
  if (others === 0) return `${emoji} 1, you`;
  return `${emoji} ${count.toLocaleString()}, you and ${others === 1 ? "1 other" : `${others.toLocaleString()} others`}`;
}

const SHOWN = 12;

/** Return who reacted, as far as names are known, the user first. */
export function whoReacted({ count, mine, users }: Reaction, names: ReadonlyMap<number, string>, me: number): string {
  const known = users.filter((user) => user !== me).flatMap((user) => names.get(user) ?? []);
  const named = [...(mine ? ["You"] : []), ...known].slice(0, SHOWN);
  const others = count - named.length;
  if (named.length === 0) return others === 1 ? "1 person" : `${others.toLocaleString()} people`;
  if (others > 0) named.push(others === 1 ? "1 other" : `${others.toLocaleString()} others`);
  return named.length === 1 ? (named[0] ?? "") : `${named.slice(0, -1).join(", ")} and ${named.at(-1)}`;
}
