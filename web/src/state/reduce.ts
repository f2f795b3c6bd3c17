/** (state, event) → state. What each type does is in its entry of the registry. Pure. */
import { messageChanged } from "./changes";
import { entryOf, noteOf } from "./event_types";
import type { Change, ChatEvent } from "./events";
import { appended } from "./messages";
import { roomChanged } from "./rooms";
import type { State } from "./state";

/** Apply an event. A type this client does not know (a newer server) changes nothing. */
export function reduce(state: State, event: ChatEvent): State {
  const entry = entryOf(event);
  if (!entry) return state;
  const changed = "change" in entry ? messageChanged(state, event as Change) : state;
  return withHead(withNote(entry.reduce?.(changed, event) ?? changed, event), event);
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
