/** The effects of room events on the state. Pure. */
import type { RoomAdded, RoomArchived, RoomCreated, RoomPreferencesChanged, RoomRemoved, RoomRestored, RoomUpdated } from "./events";
import type { Room } from "./model";
import { keepRooms, without, type State } from "./state";

export function roomCreated(state: State, event: RoomCreated): State {
  return event.topic === "site" ? { ...state, directory: listed(state.directory, event.details) } : state;
}

/**
 * The event holds the room as it was just before the user joined; the join itself follows in the
 * room's log. The known state may be newer by then.
 */
export function roomAdded(state: State, event: RoomAdded): State {
  const { room: id, details } = event;
  const known = state.rooms[id];
  const newer = known && (known.head ?? 0) >= (details.head ?? 0);
  return {
    ...state,
    rooms: newer ? state.rooms : { ...state.rooms, [id]: { ...details, joined: true } },
    former: without(state.former, id),
    gone: state.gone?.room === id ? null : state.gone,
    directory: marked(listed(state.directory, details), id, true),
  };
}

/**
 * The user is no longer in a room. Reported in the room's log, in the user's topic (with the
 * reason), or in both; applying it twice changes nothing.
 */
export function roomGone(state: State, { room, why, reason }: Pick<RoomRemoved, "room" | "why" | "reason">): State {
  const name = state.rooms[room]?.name ?? state.former[room];
  const notified = {
    ...state,
    former: name === undefined ? state.former : { ...state.former, [room]: name },
    gone: removalNotice(state, room, why, reason),
  };
  if (!state.rooms[room]) return notified;
  return {
    ...roomReset(notified, room),
    rooms: without(state.rooms, room),
    reading: without(state.reading, room),
    directory: state.rooms[room].kind === "public" ? marked(state.directory, room, false) : hidden(state.directory, room),
  };
}

function removalNotice(state: State, room: number, why: RoomRemoved["why"], reason: string | undefined): State["gone"] {
  const before = state.gone?.room === room ? state.gone : null;
  const name = state.rooms[room]?.name ?? state.former[room] ?? before?.name;
  if (why === undefined || why === "left") return before ? null : state.gone;
  if (name === undefined) return state.gone;
  const words = reason ?? before?.reason;
  return { room, name, why, ...(words && { reason: words }) };
}

/** If members see a different history now, drop what was loaded. */
export function roomUpdated(state: State, event: RoomUpdated): State {
  const now = updated(state, event, (room) => renewed(room, event.changes));
  return event.changes.history !== undefined && event.topic !== "site" ? roomReset(now, event.room) : now;
}

/** The room's log cannot be replayed: drop what was loaded of it. */
export function roomReset(state: State, room: number): State {
  return keepRooms(state, (other) => other !== room);
}

export function roomArchived(state: State, event: RoomArchived): State {
  return updated(state, event, (room) => ({ ...room, archived: true }));
}

export function roomRestored(state: State, event: RoomRestored): State {
  return updated(state, event, (room) => ({ ...room, archived: false }));
}

/** The user's own preferences for a room, set on any device. */
export function preferencesChanged(state: State, { room: id, favourite, muted }: RoomPreferencesChanged): State {
  return roomChanged(state, id, (room) => ({ ...room, favourite, muted }));
}

export function roomChanged(state: State, id: number, change: (room: Room) => Room): State {
  const room = state.rooms[id];
  if (!room) return state;
  const changed = change(room);
  return changed === room ? state : { ...state, rooms: { ...state.rooms, [id]: changed } };
}

/**
 * Changes of a room are in its own log and, for public rooms, in the site's. Members follow the
 * former, in its order.
 */
function updated(state: State, event: RoomUpdated | RoomArchived | RoomRestored, change: (room: Room) => Room): State {
  const directory = state.directory?.map((room) => (room.id === event.room ? change(room) : room)) ?? null;
  const listed = directory ? { ...state, directory } : state;
  if (event.topic === "site") return listed;
  return roomChanged(listed, event.room, (room) => (event.seq <= (room.head ?? 0) ? room : { ...change(room), head: event.seq }));
}

/** An empty text means none: the field is left out, as the server does. */
function renewed(room: Room, changes: RoomUpdated["changes"]): Room {
  const { topic, description, ...rest } = { ...room, ...changes };
  return { ...rest, ...(topic ? { topic } : {}), ...(description ? { description } : {}) };
}

function listed(directory: State["directory"], room: Room): State["directory"] {
  if (!directory || directory.some((known) => known.id === room.id)) return directory;
  return [...directory, { ...room, joined: false }];
}

/** Only members may see a private room. */
function hidden(directory: State["directory"], id: number): State["directory"] {
  return directory?.filter((room) => room.id !== id) ?? null;
}

function marked(directory: State["directory"], id: number, joined: boolean): State["directory"] {
  return directory?.map((room) => (room.id === id ? { ...room, joined } : room)) ?? null;
}
