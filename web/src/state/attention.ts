/**
 * Unread and mention counts of rooms. Pure.
 *
 * The server counts; between its reports the client counts along by the same rules: a message
 * counts once, the user's own messages and deleted ones never count, nor do messages that the user
 * has read or that were sent before they joined.
 */
import type { Mentions } from "../contract";
import { MENTIONS_COUNTED } from "../limits";
import type { MessageDeleted, MessageEdited, MessageSent, ReadMoved } from "./events";
import type { Room } from "./model";
import { roomChanged } from "./rooms";
import { without, type State } from "./state";

/** The user's read position has moved, on any device. */
export function readMoved(state: State, event: ReadMoved): State {
  if (event.seq <= state.own) return state;
  const now = { ...state, own: event.seq };
  // A newer local read position is on its way to the server, which will report it.
  if (event.read_seq < (state.reading[event.room] ?? 0)) return now;
  const { read_seq, unread_count, mention_count = 0 } = event;
  return roomChanged({ ...now, reading: without(now.reading, event.room) }, event.room, (room) => ({
    ...room,
    read_seq,
    unread_count,
    mention_count,
  }));
}

/** The user has read up to `seq` here; the server hears of it a little later. */
export function readHere(state: State, room: number, seq: number): State {
  const known = state.rooms[room];
  if (!known || (known.unread_count === 0 && (known.read_seq ?? 0) >= seq)) return state;
  const read = Math.max(known.read_seq ?? 0, seq);
  const reading = { ...state.reading, [room]: read };
  return { ...state, reading, rooms: { ...state.rooms, [room]: { ...known, read_seq: read, unread_count: 0, mention_count: 0 } } };
}

/** Drop the local read position: from now on the server's report counts. */
export function unreadHere(state: State, room: number): State {
  return room in state.reading ? { ...state, reading: without(state.reading, room) } : state;
}

/** Count a sent message. The server moves the author's read position with it. */
export function countSent(state: State, event: MessageSent): State {
  const mine = event.by === state.me.id;
  const seen = mine ? { ...state, reading: without(state.reading, event.room) } : state;
  return roomChanged(seen, event.room, (room) => {
    if (event.seq <= (room.head ?? 0)) return room;
    const heard = { ...room, head: event.seq };
    if (mine) return { ...heard, read_seq: event.seq, unread_count: 0, mention_count: 0 };
    return counted({ ...heard, unread_count: (room.unread_count ?? 0) + 1 }, mentionsMe(event.mentions, state) ? 1 : 0);
  });
}

/** An edit may add or remove a mention of the user. Only authors edit. */
export function countEdited(state: State, event: MessageEdited): State {
  const change = Number(mentionsMe(event.mentions, state)) - Number(mentionsMe(event.mentioned, state));
  return recounted(state, event, event.by, change);
}

export function countDeleted(state: State, event: MessageDeleted): State {
  return recounted(state, event, event.author, mentionsMe(event.mentioned, state) ? -1 : 0, -1);
}

function recounted(state: State, event: MessageEdited | MessageDeleted, author: number, change: number, unread = 0): State {
  if (author === state.me.id) return state;
  return roomChanged(state, event.room, (room) => {
    if (event.seq <= (room.head ?? 0) || event.message <= (room.read_seq ?? 0)) return room;
    const left = unread === 0 ? room : { ...room, unread_count: Math.max(0, (room.unread_count ?? 0) + unread) };
    return event.message > (room.floor ?? 0) ? counted(left, change) : left;
  });
}

/** At the limit the exact number is unknown. */
function counted(room: Room, change: number): Room {
  const before = room.mention_count ?? 0;
  if (change === 0 || (change < 0 && before === MENTIONS_COUNTED)) return room;
  return { ...room, mention_count: Math.min(MENTIONS_COUNTED, Math.max(0, before + change)) };
}

function mentionsMe(mentions: Mentions | undefined, { me }: State): boolean {
  return mentions?.room === true || (mentions?.users?.includes(me.id) ?? false);
}
