/**
 * (state, event) → state. The table has one entry per event type, so that a new type without an
 * entry does not compile. Every entry may get the same event twice and must then change nothing.
 */
import { readMoved } from "./attention";
import type { ChatEvent, EventOf } from "./events";
import { memberBanned, memberGone, memberJoined, memberRoleChanged, memberUnbanned } from "./members";
import { appended, messageChanged, messageDeleted, messageEdited, messagePinned, messageSent, messageUnpinned } from "./messages";
import { noteOf } from "./notes";
import { statusChanged } from "./presence";
import { roomAdded, roomArchived, roomChanged, roomCreated, roomGone, roomRestored, roomUpdated, preferencesChanged } from "./rooms";
import { sessionClosed, sessionOpened } from "./sessions";
import type { State } from "./state";

type Reducers = { readonly [T in ChatEvent["type"]]: (state: State, event: EventOf<T>) => State };

export const REDUCERS: Reducers = {
  "message.sent": messageSent,
  "member.joined": memberJoined,
  "member.left": memberGone,
  "member.removed": memberGone,
  "room.created": roomCreated,
  "room.added": roomAdded,
  "room.removed": roomGone,
  "room.read_moved": readMoved,
  "session.opened": sessionOpened,
  "session.closed": sessionClosed,
  "message.edited": messageEdited,
  "message.deleted": messageDeleted,
  "message.pinned": messagePinned,
  "message.unpinned": messageUnpinned,
  "reaction.added": messageChanged,
  "reaction.removed": messageChanged,
  "member.banned": memberBanned,
  "member.unbanned": memberUnbanned,
  "member.role_changed": memberRoleChanged,
  "room.updated": roomUpdated,
  "room.archived": roomArchived,
  "room.restored": roomRestored,
  "room.preferences_changed": preferencesChanged,
  "status.changed": statusChanged,
};

/** Apply an event. A type this client does not know (a newer server) changes nothing. */
export function reduce(state: State, event: ChatEvent): State {
  if (!Object.hasOwn(REDUCERS, event.type)) return state;
  const reducer = REDUCERS[event.type] as (state: State, event: ChatEvent) => State;
  return withHead(withNote(reducer(state, event), event), event);
}

/** Any event in a room moves the room's head. */
function withHead(state: State, event: ChatEvent): State {
  if (!event.topic.startsWith("room:")) return state;
  return roomChanged(state, Number(event.topic.slice("room:".length)), (room) =>
    event.seq <= (room.head ?? 0) ? room : { ...room, head: event.seq },
  );
}

/** Many room events are also a line between messages. */
function withNote(state: State, event: ChatEvent): State {
  const note = noteOf(event);
  return note ? appended(state, Number(event.topic.slice("room:".length)), note) : state;
}
