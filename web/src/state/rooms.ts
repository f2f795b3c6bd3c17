/** What events about rooms change. Pure. */
import type { RoomAdded, RoomCreated, RoomGone } from "./events";
import type { Room } from "./model";
import { without, type State } from "./state";

export function roomCreated(state: State, event: RoomCreated): State {
  return event.topic === "site" ? { ...state, directory: listed(state.directory, event.room) } : state;
}

export function roomAdded(state: State, event: RoomAdded): State {
  const room = { ...event.room, joined: true };
  return { ...state, rooms: { ...state.rooms, [room.id]: room }, directory: marked(state.directory, room.id, true) };
}

export function roomGone(state: State, { room }: Pick<RoomGone, "room">): State {
  if (!state.rooms[room]) return state;
  return {
    ...state,
    rooms: without(state.rooms, room),
    timelines: without(state.timelines, room),
    members: without(state.members, room),
    directory: marked(state.directory, room, false),
  };
}

export function roomChanged(state: State, id: number, change: (room: Room) => Room): State {
  const room = state.rooms[id];
  if (!room) return state;
  const changed = change(room);
  return changed === room ? state : { ...state, rooms: { ...state.rooms, [id]: changed } };
}

function listed(directory: State["directory"], room: Room): State["directory"] {
  if (!directory || directory.some((known) => known.id === room.id)) return directory;
  return [...directory, { ...room, joined: false }];
}

function marked(directory: State["directory"], id: number, joined: boolean): State["directory"] {
  return directory?.map((room) => (room.id === id ? { ...room, joined } : room)) ?? null;
}
