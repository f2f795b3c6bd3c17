/**
 * Everything that the client does with an event, by type. A type of the contract without an entry
 * does not compile. To add one, add an entry: `{}` if it concerns no screen. Pure.
 */
import { countEdited, readMoved } from "./attention";
import type { Change, ChatEvent, EventOf } from "./events";
import { memberBanned, memberGone, memberJoined, memberRoleChanged, memberUnbanned } from "./members";
import { deleted, edited, reactionAdded, reactionRemoved } from "./message_changes";
import { messageDeleted, messageSent, pinListed, pinUnlisted } from "./messages";
import { became, did, moved, roleNote, updateNote, type NoteItem, type NoteText } from "./notes";
import { spoken, statusChanged, type Signals } from "./presence";
import { roomAdded, roomArchived, roomCreated, roomGone, roomRestored, roomUpdated, preferencesChanged } from "./rooms";
import { sessionClosed, sessionOpened } from "./sessions";
import { siteUpdated } from "./site";
import type { State } from "./state";
import type { MessageItem } from "./timeline";

interface Entry<E> {
  /** Apply the event to the state. The same event may come twice and must then change nothing. */
  readonly reduce?: (state: State, event: E) => State;
  /** The event as a line between messages, if it is in a room's topic. */
  readonly line?: (event: E) => NoteText;
  /** Apply the event to presence and typing. */
  readonly signal?: (signals: Signals, event: E) => Signals;
  /** True if stored content may no longer be shown: the snapshot is replaced at once. */
  readonly withdraws?: true;
}

/** An event about a message changes it wherever it is shown, before the state is reduced. */
interface ChangeEntry<E> extends Entry<E> {
  readonly change: (item: MessageItem, event: E, me: number) => MessageItem;
}

type EntryOf<E> = [E] extends [Change] ? ChangeEntry<E> : Entry<E>;

export const EVENT_TYPES: { readonly [T in ChatEvent["type"]]: EntryOf<EventOf<T>> } = {
  "message.sent": { reduce: messageSent, signal: (signals, { room, by }) => spoken(signals, room, by) },
  "message.edited": { reduce: countEdited, change: edited },
  "message.deleted": { reduce: messageDeleted, change: deleted },
  "message.pinned": {
    reduce: pinListed,
    change: (item) => ({ ...item, pinned: true }),
    line: (event) => ({ ...did(event, "pinned a message"), message: event.message }),
  },
  "message.unpinned": { reduce: pinUnlisted, change: (item) => ({ ...item, pinned: false }) },
  "reaction.added": { change: reactionAdded },
  "reaction.removed": { change: reactionRemoved },
  "member.joined": {
    reduce: memberJoined,
    line: (event) => (event.by === event.user ? moved(event, "joined") : { ...became(event, "added"), gathers: true }),
  },
  "member.left": { reduce: (state, event) => memberGone(state, event, "left"), line: (event) => moved(event, "left") },
  "member.removed": { reduce: (state, event) => memberGone(state, event, "removed"), line: (event) => became(event, "removed") },
  "member.banned": { reduce: memberBanned, line: (event) => became(event, "banned") },
  "member.unbanned": { reduce: memberUnbanned, line: (event) => became(event, "unbanned") },
  "member.role_changed": { reduce: memberRoleChanged, line: roleNote },
  "room.created": { reduce: roomCreated, line: (event) => did(event, "created this room") },
  "room.updated": { reduce: roomUpdated, line: updateNote },
  "room.archived": { reduce: roomArchived, line: (event) => did(event, "archived this room") },
  "room.restored": { reduce: roomRestored, line: (event) => did(event, "restored this room") },
  "room.added": { reduce: roomAdded },
  "room.removed": { reduce: roomGone, withdraws: true },
  "room.preferences_changed": { reduce: preferencesChanged },
  "room.read_moved": { reduce: readMoved },
  "status.changed": { reduce: statusChanged },
  "session.opened": { reduce: sessionOpened },
  "session.closed": { reduce: sessionClosed },
  "site.updated": { reduce: siteUpdated },
};

/** Return the entry of an event; undefined if this client does not know its type (a newer server). */
export function entryOf<E extends ChatEvent>(event: E): EntryOf<E> | undefined {
  return Object.hasOwn(EVENT_TYPES, event.type) ? (EVENT_TYPES[event.type] as unknown as EntryOf<E>) : undefined;
}

/** Return the line of an event in its room; null if it has none. */
export function noteOf(event: ChatEvent): NoteItem | null {
  const text = event.topic.startsWith("room:") ? entryOf(event)?.line?.(event) : undefined;
  return text ? { kind: "note", seq: event.seq, at: event.at, text } : null;
}
