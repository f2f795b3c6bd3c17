import { describe, expect, it } from "vitest";
import type { ChatEvent } from "../src/state/events";
import { readHere } from "../src/state/attention";
import { isOutdated, roomLoaded, timelineOpened, timelineStarted, welcomed } from "../src/state/load";
import { reduce } from "../src/state/reduce";
import { initial, type State } from "../src/state/state";
import { fromMessage } from "../src/state/timeline";
import { alice, AT, joined, room, said, welcome } from "./build";

function inRoom(more = {}): State {
  return welcomed(initial(alice), welcome({}, { rooms: [room(1, more)] }), []);
}

const apply = (state: State, ...events: ChatEvent[]): State => events.reduce(reduce, state);
const page = (...messages: number[]) => ({
  items: messages.map((seq) => fromMessage(said(seq))),
  older: true,
  newer: false,
  head: messages.at(-1) ?? 0,
});

describe("reduce", () => {
  it("changes nothing when the same event comes twice", () => {
    const started = timelineStarted({ ...inRoom(), members: { 1: [] } }, 1, 1);
    const events: ChatEvent[] = [
      said(11),
      joined(12, 9, "carol"),
      { ...joined(13, 9, "carol"), type: "member.left" },
      { ...joined(14, 8, "bob"), type: "member.removed" },
      { topic: "user:7", seq: 4, type: "room.read_moved", at: AT, room: 1, read_seq: 11, unread_count: 0 },
      { topic: "user:7", seq: 5, type: "room.added", at: AT, room: 2, details: room(2) },
      { topic: "user:7", seq: 6, type: "room.removed", at: AT, room: 2 },
    ];
    let state = started;
    for (const event of events) {
      state = reduce(state, event);
      expect(reduce(state, event)).toEqual(state);
    }
  });

  it("returns the same state for an unknown type", () => {
    const state = inRoom();
    expect(reduce(state, { type: "constructor" } as unknown as ChatEvent)).toBe(state);
  });

  it("counts messages of others as unread and the user's own as read", () => {
    const heard = apply(inRoom(), said(11), said(12));
    expect(heard.rooms[1]).toMatchObject({ head: 12, unread_count: 2, read_seq: 10 });
    expect(apply(heard, said(13, { by: 7 })).rooms[1]).toMatchObject({ head: 13, unread_count: 0, read_seq: 13 });
  });

  it("does not count again what the welcome has counted", () => {
    expect(apply(inRoom({ head: 12, unread_count: 2 }), said(11), said(12)).rooms[1]).toMatchObject({ unread_count: 2 });
  });

  it("counts joins and leaves as members, not as unread", () => {
    const state = apply(inRoom(), joined(11, 9, "carol"), joined(12, 10, "dan"), { ...joined(13, 9, "carol"), type: "member.left" });
    expect(state.rooms[1]).toMatchObject({ head: 13, unread_count: 0, member_count: 3 });
  });

  it("removes a room that is gone and marks it in the directory", () => {
    const state = { ...timelineStarted(inRoom(), 1, 1), directory: [room(1)] };
    const gone = apply(state, { topic: "user:7", seq: 4, type: "room.removed", at: AT, room: 1 });
    expect(gone).toMatchObject({ rooms: {}, timelines: {}, directory: [{ id: 1, joined: false }] });
  });

  it("removes a room the user left, with a notice if another user decided it", () => {
    const mine = { ...joined(11, 7, "alice"), type: "member.left" } as const;
    expect(apply(inRoom(), mine)).toMatchObject({ rooms: {}, gone: null });
    expect(apply(inRoom(), { ...mine, type: "member.removed", by: 8 })).toMatchObject({
      rooms: {},
      gone: { room: 1, name: "room 1", why: "removed" },
    });
  });

  it("lists a new public room once", () => {
    const event: ChatEvent = { topic: "site", seq: 2, type: "room.created", at: AT, room: 2, details: room(2), by: 8, name: "bob" };
    expect(apply({ ...inRoom(), directory: [room(1)] }, event, event).directory?.map((one) => one.id)).toEqual([1, 2]);
    expect(apply(inRoom(), event).directory).toBeNull();
  });
});

describe("loading", () => {
  it("keeps timelines whose events are replayed and drops the others", () => {
    let state = inRoom();
    state = welcomed(state, { ...welcome({}), rooms: [room(1), room(2), room(3)] }, []);
    for (const id of [1, 2, 3]) state = timelineOpened(timelineStarted(state, id, id), id, id, page(9));
    const back = welcomed(state, { ...welcome({}), rooms: [room(1), room(2)] }, ["room:2"]);
    expect(Object.keys(back.timelines)).toEqual(["1"]);
  });

  it("drops a failed or unfinished timeline, so that it is loaded again after a reconnect", () => {
    const state = timelineStarted(inRoom(), 1, 1);
    expect(welcomed(state, welcome({}, { rooms: [room(1)] }), []).timelines).toEqual({});
  });

  it("ignores the answer about a room if a newer event was applied", () => {
    const state = apply(inRoom(), joined(11, 9, "carol"));
    expect(isOutdated(state, room(1, { head: 10 }))).toBe(true);
    expect(roomLoaded(state, room(1, { head: 10 }), []).members).toEqual({});
    expect(roomLoaded(state, room(1, { head: 11 }), []).members).toEqual({ 1: [] });
  });

  it("marks a room as read at once", () => {
    expect(readHere(apply(inRoom(), said(11)), 1, 11).rooms[1]).toMatchObject({ unread_count: 0, read_seq: 11 });
  });
});
