/** What was said and what happened in one room, in the order of its log. Pure. */
import type { MemberJoined, MemberLeft, MemberRemoved, MessageSent, RoomCreated } from "./events";
import type { Message } from "./model";

export interface MessageItem {
  readonly kind: "message";
  readonly seq: number;
  readonly at: string;
  readonly by: number;
  readonly name: string;
  readonly body: string | null;
}

export interface NoteItem {
  readonly kind: "joined" | "left" | "removed" | "created";
  readonly seq: number;
  readonly at: string;
  readonly by: number;
  readonly user: number;
  readonly name: string;
}

export type Item = MessageItem | NoteItem;

export interface Timeline {
  readonly status: "loading" | "ready" | "failed";
  /** Which load this is: an answer to an earlier one is out of date. */
  readonly load: number;
  /** Ascending by seq, without gaps in what was said up to the newest. */
  readonly items: readonly Item[];
  /** There is more before the first item. */
  readonly older: boolean;
  /** How far one had read when the room was opened; null if there was nothing unread. */
  readonly readAt: number | null;
}

export function started(load: number, readAt: number | null): Timeline {
  return { status: "loading", load, items: [], older: false, readAt };
}

export function fromMessage(message: Message | MessageSent): MessageItem {
  const { seq, at, by, name, body } = message;
  return { kind: "message", seq, at, by, name, body };
}

const NOTES = { "member.joined": "joined", "member.left": "left", "member.removed": "removed" } as const;

export function fromMembership(event: MemberJoined | MemberLeft | MemberRemoved): NoteItem {
  const { seq, at, by, user, name } = event;
  return { kind: NOTES[event.type], seq, at, by, user, name };
}

export function fromCreation({ seq, at, by, name }: RoomCreated): NoteItem {
  return { kind: "created", seq, at, by, user: by, name };
}

/** The union by seq; where both have one, the new one counts. */
export function merge(items: readonly Item[], more: readonly Item[]): readonly Item[] {
  const last = items.at(-1);
  const first = more[0];
  if (!first) return items;
  if (!last || first.seq > last.seq) return [...items, ...more];
  const bySeq = new Map<number, Item>();
  for (const item of [...items, ...more]) bySeq.set(item.seq, item);
  return [...bySeq.values()].sort((a, b) => a.seq - b.seq);
}

/** Keep the newest `count`, so that a window open for weeks stays light. */
export function trimmed(timeline: Timeline, count: number): Timeline {
  if (timeline.items.length <= count) return timeline;
  return { ...timeline, items: timeline.items.slice(-count), older: true };
}
