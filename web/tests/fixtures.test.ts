/**
 * Snapshots of the server before and after a command, and its live events: the client gets from one
 * to the other by its reducer alone. `contract/fixtures/` is written by tests/fixtures.
 */
import { afterEach, describe, expect, it } from "vitest";
import type { ChatEvent, Member, Messages, Pin, Room, Session, User } from "../src/contract";
import { EVENT_TYPES, noteOf } from "../src/state/event_types";
import { pinsLoaded, roomLoaded, timelineOpened, timelineStarted, welcomed } from "../src/state/load";
import { reduce } from "../src/state/reduce";
import { initial, type State } from "../src/state/state";
import { fromMessage, type MessageItem } from "../src/state/timeline";
import { alice, AT, room } from "./build";

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
function asListed({
  head: _,
  floor: __,
  read_seq: _a,
  unread_count: _b,
  mention_count: _c,
  role: _d,
  favourite: _e,
  muted: _f,
  member_count: _g,
  ...room
}: Room) {
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

function replayed({ before, events, after }: Fixture["cases"][number]) {
  const rooms = Object.keys(before.pages).filter((room) => room in after.pages);
  const once = events.reduce(reduce, loaded(before));
  const found = [once, events.reduce(reduce, once)].map((state) => comparable(opened(state, after), rooms));
  return { once, found, wanted: comparable(loaded(after), rooms) };
}

describe.each(FIXTURES)("$command", ({ cases }) => {
  it.each(cases)("$case", (one) => {
    const { found, wanted } = replayed(one);
    expect(found).toEqual([wanted, wanted]);
  });
});

/** Events that no command of the fixtures causes, or that change what no snapshot has. */
const OTHERS: ChatEvent[] = [
  { topic: "room:1", seq: 11, type: "member.unbanned", at: AT, room: 1, user: 9, user_name: "carol", by: 8 },
  { topic: "room:1", seq: 12, type: "room.created", at: AT, room: 1, details: room(1), by: 8, name: "bob" },
  {
    topic: "room:1",
    seq: 13,
    type: "message.edited",
    at: AT,
    room: 1,
    message: 9,
    by: 8,
    body: null,
    mentions: { users: [alice.id], room: false, here: false },
  },
  { topic: "user:7", seq: 13, type: "session.opened", at: AT, session: "new", details: session("new") },
  { topic: "user:7", seq: 14, type: "session.closed", at: AT, session: "old" },
  { topic: "site", seq: 15, type: "site.updated", at: AT, changes: { name: "The Lounge" } },
];

function session(id: string): Session {
  return { id, kind: "browser", client: "", created_at: AT, last_seen_at: AT, expires_at: AT, current: false };
}

const loadedOthers = (): State => ({
  ...initial(alice),
  rooms: { 1: room(1, { read_seq: 8, unread_count: 2 }) },
  bans: { 1: [{ user: 9, user_name: "carol", by: 8, at: AT }] },
  sessions: [session("old")],
});

describe("the entry of each event type", () => {
  const entries = EVENT_TYPES as Record<string, object>;
  const whole = { ...entries };
  const cases = FIXTURES.flatMap(({ cases }) => cases);
  const all = [...OTHERS, ...cases.flatMap(({ events }) => events)];
  const states = (type: string): string =>
    JSON.stringify([
      OTHERS.reduce(reduce, loadedOthers()),
      ...cases.filter(({ events }) => events.some((event) => event.type === type)).map(replayed),
    ]);

  afterEach(() => void Object.assign(entries, whole));

  const parts = Object.entries(entries).flatMap(([type, entry]) =>
    ["reduce", "change"].filter((part) => part in entry).map((part) => [type, part] as const),
  );
  const idle: Record<string, unknown> = { reduce: undefined, change: (item: unknown) => item };

  it.each(parts)("makes a difference: %s, %s", (type, part) => {
    const wanted = states(type);
    entries[type] = { ...whole[type], [part]: idle[part] };
    expect(states(type)).not.toBe(wanted);
  });

  it("has the line that the timeline shows", () => {
    const lines = all.flatMap((event) => {
      const note = noteOf(event);
      return note ? [[event.type, note.text.mine ?? note.text.does] as const] : [];
    });
    expect(Object.fromEntries(lines.toSorted())).toMatchInlineSnapshot(`
      {
        "member.banned": "were banned",
        "member.joined": "were added",
        "member.left": "left",
        "member.removed": "were removed",
        "member.role_changed": "are now the owner",
        "member.unbanned": "were unbanned",
        "message.pinned": "pinned a message",
        "room.archived": "archived this room",
        "room.created": "created this room",
        "room.restored": "restored this room",
        "room.updated": "renamed this room to “The Library”, set the topic to “Books”, changed the description",
      }
    `);
    expect(new Set(lines.map(([type]) => type))).toEqual(new Set(Object.keys(entries).filter((type) => "line" in whole[type]!)));
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
