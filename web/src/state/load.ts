/** Changes of the state by server answers rather than events. Pure. */
import type { Status } from "../contract";
import { caughtUp } from "./changes";
import type { MessageLimits, Member, Message, Pin, Room, User } from "./model";
import { keepRooms, type State } from "./state";
import { everywhere, extended, fromMessage, narrowed, opened, started, type Page, type Side, type Timeline } from "./timeline";

/**
 * Apply the `welcome` of a new connection. `fresh` names the topics whose events were not replayed.
 * Read positions that the server does not know yet are kept, to be sent.
 */
export function welcomed(
  state: State,
  welcome: { user: User; rooms: readonly Room[]; limits: MessageLimits; heads?: Readonly<Record<string, number>>; status?: Status },
  fresh: readonly string[],
): State {
  const rooms = Object.fromEntries(welcome.rooms.map((room) => [room.id, { ...room, joined: true }]));
  const kept = keepRooms(state, (room) => room in rooms && !fresh.includes(`room:${room}`));
  const timelines = Object.fromEntries(Object.entries(kept.timelines).filter(([, timeline]) => timeline.status === "ready"));
  const reading = Object.fromEntries(
    Object.entries(state.reading).filter(([room, read]) => rooms[Number(room)] && read > (rooms[Number(room)]?.read_seq ?? 0)),
  );
  const lost = Object.values(state.rooms).filter((room) => !(room.id in rooms));
  return {
    ...kept,
    me: welcome.user,
    limits: welcome.limits,
    rooms,
    timelines,
    reading,
    status: welcome.status ?? state.status,
    own: welcome.heads?.[`user:${welcome.user.id}`] ?? 0,
    former: { ...state.former, ...Object.fromEntries(lost.map((room) => [room.id, room.name])) },
  };
}

/**
 * True if this answer was read before an event that is applied already, so that it has to be asked
 * for again.
 */
export function isOutdated(state: State, room: Room): boolean {
  return (room.head ?? 0) < (state.rooms[room.id]?.head ?? 0);
}

export function roomLoaded(state: State, room: Room, members: readonly Member[]): State {
  const known = state.rooms[room.id];
  if (!known || isOutdated(state, room)) return state;
  // At the same seq the two differ only in the user's own settings, which may have changed since
  // the answer was read.
  const now = known.head === room.head ? known : room;
  return { ...state, rooms: { ...state.rooms, [room.id]: now }, members: { ...state.members, [room.id]: members } };
}

export function timelineStarted(state: State, room: number, load: number): State {
  const known = state.rooms[room];
  return withTimeline(state, room, started(load, known?.unread_count ? (known.read_seq ?? null) : null));
}

export function timelineFailed(state: State, room: number): State {
  return changed(state, room, (timeline) => (timeline.status === "ready" ? timeline : { ...timeline, status: "failed" }));
}

/** The window shows this page now. `load` identifies the window for its later pages. */
export function timelineOpened(state: State, room: number, load: number, page: Page): State {
  const now = present(state, room, page);
  return now ? changed(state, room, (timeline) => opened(timeline, load, now)) : timelineFailed(state, room);
}

/** Add a page at one end of the window; pages for another window or another edge are ignored. */
export function timelineExtended(state: State, room: number, load: number, at: { side: Side; edge: number }, page: Page): State {
  const now = present(state, room, page);
  if (!now) return state;
  return changed(state, room, (timeline) => (timeline.load === load ? extended(timeline, at.side, at.edge, now) : timeline));
}

/**
 * Add a message that was read when the log's head was `head`; for quotes, and for outdated
 * messages.
 */
export function messageLoaded(state: State, room: number, message: Message, head: number): State {
  const [found] = caughtUp(state.changes[room], head, [fromMessage(message, head)], state.me.id) ?? [];
  if (!found) return state;
  return changed(state, room, (timeline) => {
    const fresh = everywhere(timeline, (item) => (item.seq === found.seq && item.asOf <= found.asOf ? found : item));
    return { ...fresh, quotes: { ...fresh.quotes, [found.seq]: found } };
  });
}

/** Set the first page of pins; older ones are dropped. */
export function pinsLoaded(state: State, room: number, pins: readonly Pin[], head: number): State {
  const known = caughtUp(
    state.changes[room],
    head,
    pins.map((pin) => fromMessage(pin.message, head)),
    state.me.id,
  );
  if (!known || !state.rooms[room] || (state.rooms[room].head ?? 0) > head) return state;
  const items = pins.flatMap(({ seq, by, name, at }, index) => (known[index] ? [{ seq, by, name, at, message: known[index] }] : []));
  return { ...state, pins: { ...state.pins, [room]: items } };
}

/** Bring a page up to date; null if too much has happened since it was read. */
function present(state: State, room: number, page: Page): Page | null {
  const { [room]: changes } = state.changes;
  const items = caughtUp(changes, page.head, page.items, state.me.id);
  const quotes = caughtUp(changes, page.head, page.quotes ?? [], state.me.id);
  return items && quotes && { ...page, items, quotes };
}

export function timelineNarrowed(state: State, room: number, from: number, to: number): State {
  return changed(state, room, (timeline) => narrowed(timeline, from, to));
}

/** Move the unread line; null removes it. */
export function timelineMarked(state: State, room: number, readAt: number | null): State {
  return changed(state, room, (timeline) => (timeline.readAt === readAt ? timeline : { ...timeline, readAt }));
}

function changed(state: State, room: number, change: (timeline: Timeline) => Timeline): State {
  const timeline = state.timelines[room];
  const after = timeline && change(timeline);
  return after === undefined || after === timeline ? state : withTimeline(state, room, after);
}

function withTimeline(state: State, room: number, timeline: Timeline): State {
  return { ...state, timelines: { ...state.timelines, [room]: timeline } };
}
