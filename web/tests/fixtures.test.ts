/**
 * Snapshots of the server before and after a command, and its live events: the client gets from one
 * to the other by its reducer alone. `contract/fixtures/` is written by tests/fixtures.
 */
import { describe, expect, it } from "vitest";
import type { ChatEvent, Member, Messages, Pin, Room, User } from "../src/contract";
import { pinsLoaded, roomLoaded, timelineOpened, timelineStarted, welcomed } from "../src/state/load";
import { reduce } from "../src/state/reduce";
import { initial, type State } from "../src/state/state";
import { fromMessage, type MessageItem } from "../src/state/timeline";

interface Snapshot {
  user: User;
  rooms: Room[];
  heads: Record<string, number>;
  directory: Room[];
  pages: Record<string, Messages>;
  members: Record<string, Member[]>;
  pins: Record<string, Pin[]>;
}

interface Fixture {
  command: string;
  cases: { case: string; viewer: number; before: Snapshot; events: ChatEvent[]; after: Snapshot }[];
}

const FIXTURES = Object.values(import.meta.glob<Fixture>("../../contract/fixtures/*.*.json", { eager: true, import: "default" }));
const limits = { body: 16_384, characters: 8_000 };

/** The state of a client that has just opened everything. */
function loaded(snapshot: Snapshot): State {
  const { user, rooms, directory } = snapshot;
  return opened({ ...welcomed(initial(user), { user, rooms, limits }, []), directory }, snapshot);
}

/** Load every room without a timeline, also those that the client has dropped. */
function opened(before: State, { rooms, pages, members, pins }: Snapshot): State {
  let state = before;
  for (const room of rooms.filter(({ id }) => before.rooms[id] && !before.timelines[id])) {
    const head = room.head ?? 0;
    const { messages, quotes, more } = pages[room.id]!;
    const read = (found: Messages["messages"]) => found.map((message) => fromMessage(message, head));
    state = timelineStarted(state, room.id, 1);
    state = timelineOpened(state, room.id, 1, { items: read(messages), quotes: read(quotes), older: more.before, newer: more.after, head });
    state = roomLoaded(state, room, members[room.id]!);
    state = pinsLoaded(state, room.id, pins[room.id]!, head);
  }
  return state;
}

/** The user's own fields of a room are in `rooms`; non-members do not get the number of members. */
function asListed({ head: _, floor: __, read_seq: _a, unread_count: _b, mention_count: _c, role: _d, favourite: _e, muted: _f, member_count: _g, ...room }: Room) {
  return room;
}

/**
 * The parts of a state that a snapshot has: without event lines and what only this client knows.
 */
function comparable(state: State, rooms: readonly string[]) {
  const said = ({ asOf: _, outdated: __, ...message }: MessageItem) => message;
  const of = <T, R>(record: Readonly<Record<string, T>>, look: (value: T) => R) =>
    Object.fromEntries(rooms.map((room) => [room, record[room] === undefined ? undefined : look(record[room])]));
  return {
    rooms: state.rooms,
    directory: state.directory?.map(asListed),
    messages: of(state.timelines, ({ items }) => items.flatMap((item) => (item.kind === "message" ? said(item) : []))),
    quotes: of(state.timelines, ({ quotes }) => Object.values(quotes).map(said)),
    members: of(state.members, (members) => [...members].sort((a, b) => a.id - b.id)),
    pins: of(state.pins, (pins) => pins.map((pin) => ({ ...pin, message: said(pin.message) }))),
  };
}

describe.each(FIXTURES)("$command", ({ cases }) => {
  it.each(cases)("$case", ({ before, events, after }) => {
    const rooms = Object.keys(before.pages).filter((room) => room in after.pages);
    const state = loaded(before);
    const once = events.reduce(reduce, state);
    const wanted = comparable(loaded(after), rooms);
    expect(comparable(opened(once, after), rooms)).toEqual(wanted);
    expect(comparable(opened(events.reduce(reduce, once), after), rooms)).toEqual(wanted);
  });
});

it("fails if the reducer leaves something out", () => {
  const all = FIXTURES.flatMap(({ cases }) => cases);
  const silent = all.filter(({ before, events, after }) => {
    const rooms = Object.keys(before.pages).filter((room) => room in after.pages);
    const [first, second] = [comparable(loaded(before), rooms), comparable(loaded(after), rooms)];
    // The user's status is not part of the compared state.
    const others = events.filter((event) => event.type !== "status.changed");
    return others.length > 0 && JSON.stringify(first) === JSON.stringify(second);
  });
  expect(silent.map((one) => one.case)).toEqual([]);
});
