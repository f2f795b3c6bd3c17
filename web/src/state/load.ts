/** What answers of the server, rather than events, change. Pure. */
import type { Limits, Member, Message, Room, User } from "./model";
import { roomChanged } from "./rooms";
import { without, type State } from "./state";
import { fromMessage, merge, started, trimmed, type Item, type Timeline } from "./timeline";

/** A new connection: rooms as they are now. `fresh` names the topics whose events were not replayed. */
export function welcomed(
  state: State,
  welcome: { user: User; rooms: readonly Room[]; limits: Limits },
  fresh: readonly string[],
): State {
  const rooms = Object.fromEntries(welcome.rooms.map((room) => [room.id, { ...room, joined: true }]));
  const stays = (room: string): boolean => room in rooms && !fresh.includes(`room:${room}`);
  const kept = <T>(record: Readonly<Record<number, T>>): Record<number, T> =>
    Object.fromEntries(Object.entries(record).filter(([room]) => stays(room)));
  const timelines = Object.fromEntries(
    Object.entries(kept(state.timelines)).filter(([, timeline]) => timeline.status === "ready"),
  );
  return { ...state, me: welcome.user, limits: welcome.limits, rooms, timelines, members: kept(state.members) };
}

/** The room's log cannot be replayed: what was shown of it has to be loaded again. */
export function roomReset(state: State, room: number): State {
  return { ...state, timelines: without(state.timelines, room), members: without(state.members, room) };
}

/** True if this answer was read before an event that is applied already: then it has to be asked for again. */
export function isOutdated(state: State, room: Room): boolean {
  return (room.head ?? 0) < (state.rooms[room.id]?.head ?? 0);
}

export function roomLoaded(state: State, room: Room, members: readonly Member[]): State {
  if (!state.rooms[room.id] || isOutdated(state, room)) return state;
  return { ...state, rooms: { ...state.rooms, [room.id]: room }, members: { ...state.members, [room.id]: members } };
}

export function timelineStarted(state: State, room: number, load: number): State {
  const known = state.rooms[room];
  return withTimeline(state, room, started(load, known?.unread ? (known.read ?? null) : null));
}

export function timelineFailed(state: State, room: number, load: number): State {
  return changed(state, room, load, (timeline) => ({ ...timeline, status: "failed" }));
}

/** A page of history. What arrived live since the question was asked is in the timeline already and stays. */
export function pageLoaded(
  state: State,
  room: number,
  load: number,
  page: { messages: readonly Message[]; more: { before: boolean } },
): State {
  return changed(state, room, load, (timeline) => ({
    ...timeline,
    status: "ready",
    items: merge(page.messages.map(fromMessage), timeline.items),
    older: page.more.before,
  }));
}

/** Event lines between messages that are shown. */
export function notesLoaded(state: State, room: number, load: number, notes: readonly Item[]): State {
  return changed(state, room, load, (timeline) => ({ ...timeline, items: merge(timeline.items, notes) }));
}

export function timelineTrimmed(state: State, room: number, count: number): State {
  const timeline = state.timelines[room];
  if (!timeline || trimmed(timeline, count) === timeline) return state;
  return withTimeline(state, room, trimmed(timeline, count));
}

/** One has read up to `seq`, here; the server hears of it a little later. */
export function readHere(state: State, room: number, seq: number): State {
  return roomChanged(state, room, (known) =>
    known.unread === 0 && (known.read ?? 0) >= seq ? known : { ...known, read: Math.max(known.read ?? 0, seq), unread: 0 },
  );
}

function changed(state: State, room: number, load: number, change: (timeline: Timeline) => Timeline): State {
  const timeline = state.timelines[room];
  return timeline?.load === load ? withTimeline(state, room, change(timeline)) : state;
}

function withTimeline(state: State, room: number, timeline: Timeline): State {
  return { ...state, timelines: { ...state.timelines, [room]: timeline } };
}
