/**
 * What waits for one in rooms: how many messages one has not read, and how many of them call one. Pure.
 *
 * The server counts; between its words this counts along, by the same rules: a message counts once, one's own never,
 * and none that one has read or that was said before one joined.
 */
import type { Mentions } from "../contract";
import type { MessageDeleted, MessageEdited, MessageSent, ReadMoved } from "./events";
import type { Room } from "./model";
import { roomChanged } from "./rooms";
import { without, type State } from "./state";

/** More are not counted. */
export const COUNTED = 100;

/** Where one is now, on whatever device one has read on or marked something as unread. */
export function readMoved(state: State, event: ReadMoved): State {
  if (event.seq <= state.own) return state;
  const now = { ...state, own: event.seq };
  // What one has read here meanwhile is on its way to the server, which will say so.
  if (event.read < (state.reading[event.room] ?? 0)) return now;
  const { read, unread, mentions = 0 } = event;
  return roomChanged({ ...now, reading: without(now.reading, event.room) }, event.room, (room) => ({ ...room, read, unread, mentions }));
}

/** One has read up to `seq`, here; the server hears of it a little later. */
export function readHere(state: State, room: number, seq: number): State {
  const known = state.rooms[room];
  if (!known || (known.unread === 0 && (known.read ?? 0) >= seq)) return state;
  const read = Math.max(known.read ?? 0, seq);
  const reading = { ...state.reading, [room]: read };
  return { ...state, reading, rooms: { ...state.rooms, [room]: { ...known, read, unread: 0, mentions: 0 } } };
}

/** Nothing is on its way to the server any more: what it says of the room is so. */
export function unreadHere(state: State, room: number): State {
  return room in state.reading ? { ...state, reading: without(state.reading, room) } : state;
}

/** Whoever writes has read: the server moves the writer's read position with the message. */
export function calledBySent(state: State, event: MessageSent): State {
  const mine = event.by === state.me.id;
  const seen = mine ? { ...state, reading: without(state.reading, event.room) } : state;
  return roomChanged(seen, event.room, (room) => {
    if (event.seq <= (room.head ?? 0)) return room;
    const heard = { ...room, head: event.seq };
    if (mine) return { ...heard, read: event.seq, unread: 0, mentions: 0 };
    return counted({ ...heard, unread: (room.unread ?? 0) + 1 }, calls(event.mentions, state) ? 1 : 0);
  });
}

/** An edit may call one, or no longer do so. Only authors edit. */
export function calledByEdited(state: State, event: MessageEdited): State {
  const change = Number(calls(event.mentions, state)) - Number(calls(event.mentioned, state));
  return recounted(state, event, event.by, change);
}

export function calledByDeleted(state: State, event: MessageDeleted): State {
  return recounted(state, event, event.author, calls(event.mentioned, state) ? -1 : 0);
}

function recounted(state: State, event: MessageEdited | MessageDeleted, author: number, change: number): State {
  if (author === state.me.id) return state;
  return roomChanged(state, event.room, (room) => {
    const waits = event.seq > (room.head ?? 0) && event.message > Math.max(room.read ?? 0, room.floor ?? 0);
    return waits ? counted(room, change) : room;
  });
}

/** Beyond what is counted nobody knows how many are left. */
function counted(room: Room, change: number): Room {
  const before = room.mentions ?? 0;
  if (change === 0 || (change < 0 && before === COUNTED)) return room;
  return { ...room, mentions: Math.min(COUNTED, Math.max(0, before + change)) };
}

function calls(mentions: Mentions | undefined, { me }: State): boolean {
  return mentions?.room === true || (mentions?.users?.includes(me.id) ?? false);
}
