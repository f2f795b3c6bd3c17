/** What events about messages and reading change. Pure. */
import type { MessageSent, ReadMoved } from "./events";
import { roomChanged } from "./rooms";
import type { State } from "./state";
import { arrived, fromMessage, type Item } from "./timeline";

export function messageSent(state: State, event: MessageSent): State {
  const shown = appended(state, event.room, fromMessage(event));
  return roomChanged(shown, event.room, (room) => {
    if (event.seq <= (room.head ?? 0)) return room;
    // Whoever writes has read: the server moves the writer's read position with the message.
    const mine = event.by === state.me.id;
    return mine
      ? { ...room, head: event.seq, read: event.seq, unread: 0 }
      : { ...room, head: event.seq, unread: (room.unread ?? 0) + 1 };
  });
}

export function readMoved(state: State, event: ReadMoved): State {
  return roomChanged(state, event.room, (room) =>
    event.read < (room.read ?? 0) ? room : { ...room, read: event.read, unread: event.unread },
  );
}

/** A new line at the end of a room's timeline, if that is loaded. */
export function appended(state: State, room: number, item: Item): State {
  const timeline = state.timelines[room];
  if (!timeline) return state;
  return { ...state, timelines: { ...state.timelines, [room]: arrived(timeline, item) } };
}
