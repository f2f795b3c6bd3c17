import { describe, expect, it } from "vitest";
import type { ChatEvent } from "../src/state/events";
import { timelineOpened, timelineStarted, welcomed } from "../src/state/load";
import { reduce } from "../src/state/reduce";
import { initial, type State } from "../src/state/state";
import { alice, AT, room, welcome } from "./build";

const state = (more = {}): State => ({
  ...welcomed(initial(alice), welcome({}, { rooms: [room(1, more)] }), []),
  directory: [room(1, more), room(2)],
});
const news = { room: 1, by: 8, name: "bob", at: AT } as const;
const updated = (seq: number, changes: object, topic = "room:1"): ChatEvent => ({ ...news, type: "room.updated", topic, seq, changes });
const archived = (seq: number, topic = "room:1"): ChatEvent => ({ ...news, type: "room.archived", topic, seq });
const restored = (seq: number, topic = "room:1"): ChatEvent => ({ ...news, type: "room.restored", topic, seq });
const apply = (from: State, ...events: ChatEvent[]): State => events.reduce(reduce, from);

describe("events about a room", () => {
  it("change the given fields, in the room and in the directory, once", () => {
    const events = [updated(11, { name: "Deeds", topic: "What next" }), archived(12), restored(13)];
    let known = state();
    for (const event of events) {
      known = reduce(known, event);
      expect(reduce(known, event)).toEqual(known);
    }
    const wanted = { name: "Deeds", topic: "What next", archived: false };
    expect(known.rooms[1]).toMatchObject({ ...wanted, head: 13, unread_count: 0 });
    expect(known.directory).toMatchObject([wanted, { id: 2, name: "room 2" }]);
  });

  it("remove an emptied topic", () => {
    const known = apply(state({ topic: "What next", description: "All" }), updated(11, { topic: "", description: "" }));
    expect(known.rooms[1]).toEqual(room(1, { head: 11 }));
    expect(known.directory?.[0]).toEqual(room(1));
  });

  it("drop loaded messages if members see a different history, in that room only", () => {
    const opened = (): State => timelineOpened(timelineStarted(state(), 1, 1), 1, 1, { items: [], older: false, newer: false, head: 10 });
    expect(apply(opened(), updated(11, { topic: "What next" })).timelines[1]).toBeDefined();
    expect(apply(opened(), updated(3, { history: "joined" }, "site")).timelines[1]).toBeDefined();
    expect(apply(opened(), updated(11, { history: "joined" })).timelines[1]).toBeUndefined();
    expect(apply(opened(), updated(11, { history: "all" })).timelines[1]).toBeUndefined();
  });

  it("do not overwrite a newer welcome", () => {
    const known = apply(state({ archived: true, head: 12 }), archived(10), restored(11));
    expect(known.rooms[1]).toMatchObject({ archived: true, head: 12 });
  });

  it("of the site topic change the directory alone", () => {
    const known = apply(state(), updated(3, { name: "Deeds" }, "site"), archived(4, "site"));
    expect(known.rooms[1]).toMatchObject({ name: "room 1", head: 10 });
    expect(known.directory?.[0]).toMatchObject({ name: "Deeds", archived: true });
    expect(apply({ ...state(), directory: null }, archived(4, "site")).directory).toBeNull();
  });

  it("of an unknown room change nothing", () => {
    const known = { ...state(), directory: null };
    expect(apply(known, { ...archived(11), room: 5, topic: "room:5" } as ChatEvent)).toEqual(known);
  });
});

describe("settings", () => {
  it("are the latest ones from any device", () => {
    const changed = (favourite: boolean, muted: boolean): ChatEvent => ({
      topic: "user:7",
      seq: 4,
      type: "room.preferences_changed",
      at: AT,
      room: 1,
      favourite,
      muted,
    });
    const known = apply(state(), changed(true, false), changed(false, true));
    expect(known.rooms[1]).toMatchObject({ favourite: false, muted: true, head: 10 });
    expect(apply(known, changed(false, true))).toEqual(known);
  });
});

describe("what is kept of each room", () => {
  /** The names of all parts of the state that have an entry for each room. `site` has settings. */
  const parts = Object.entries(initial(alice)).flatMap(([name, value]) =>
    name !== "site" && JSON.stringify(value) === "{}" ? [name] : [],
  );
  const keysIn = (known: State): Record<string, string[]> =>
    Object.fromEntries(parts.map((part) => [part, Object.keys(known[part as keyof State] as object)]));
  const full = (): State => {
    const timeline = timelineStarted(initial(alice), 1, 1).timelines[1];
    const filled = Object.fromEntries(parts.map((part) => [part, { 1: [], 2: [] }]));
    return {
      ...initial(alice),
      ...filled,
      rooms: { 1: room(1), 2: room(2) },
      timelines: { 1: { ...timeline, status: "ready" }, 2: { ...timeline, status: "ready" } },
    } as State;
  };
  const others = Object.fromEntries(parts.map((part) => [part, ["2"]]));

  it("goes with the room, apart from its name", () => {
    expect(parts.length).toBeGreaterThan(6);
    const removed: ChatEvent = { topic: "user:7", seq: 3, type: "room.removed", at: AT, room: 1, why: "removed" };
    expect(keysIn(apply(full(), removed))).toEqual({ ...others, former: ["1", "2"] });
  });

  it("is loaded again if the room's log could not be replayed, apart from what only this client knows", () => {
    const both = { rooms: ["1", "2"], former: ["1", "2"] };
    const known = welcomed({ ...full(), reading: {} }, welcome({}, { rooms: [room(1), room(2)] }), ["room:1"]);
    expect(keysIn(known)).toEqual({ ...others, ...both, reading: [] });
  });
});
