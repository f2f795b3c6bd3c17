import { describe, expect, it } from "vitest";
import type { ChatEvent, Member } from "../src/contract";
import { roomLoaded, welcomed } from "../src/state/load";
import { reduce } from "../src/state/reduce";
import { initial, type State } from "../src/state/state";
import { alice, AT, joined, room, welcome } from "./build";

const person = (id: number, name: string, role: Member["role"] = "member"): Member => ({ id, name, role, joined_at: AT });
const inRoom = (): State =>
  roomLoaded(welcomed(initial(alice), welcome({}, { rooms: [room(1)] }), []), room(1), [person(7, "alice"), person(8, "bob")]);
const apply = (from: State, ...events: ChatEvent[]): State => events.reduce(reduce, from);
const about = (seq: number, user: number, name: string) => ({ ...joined(seq, user, name), by: 8 });
const banned = (seq: number, user: number, was_member = true): ChatEvent => ({
  ...about(seq, user, "x"),
  type: "member.banned",
  was_member,
});
const role = (seq: number, user: number, to: Member["role"]): ChatEvent => ({
  ...about(seq, user, "x"),
  type: "member.role_changed",
  role: to,
});
const removed = (seq: number, user: number): ChatEvent => ({ ...about(seq, user, "x"), type: "member.removed" });
const gone = (why: "left" | "removed" | "banned", reason?: string): ChatEvent => ({
  topic: "user:7",
  seq: 5,
  type: "room.removed",
  at: AT,
  room: 1,
  why,
  ...(reason && { reason }),
});
const added = (more = {}): ChatEvent => ({ topic: "user:7", seq: 6, type: "room.added", at: AT, room: 1, details: room(1, more) });

describe("the members of a room", () => {
  it("lose a banned user only if they were a member", () => {
    const state = apply(inRoom(), banned(11, 9, false), banned(12, 8), banned(12, 8));
    expect(state.members[1]?.map(({ id }) => id)).toEqual([7]);
    expect(state.rooms[1]).toMatchObject({ member_count: 1, head: 12 });
  });

  it("have their latest roles", () => {
    const state = apply(inRoom(), role(11, 8, "moderator"), role(12, 7, "owner"));
    expect(state.members[1]?.map(({ role }) => role)).toEqual(["owner", "moderator"]);
    expect(state.rooms[1]).toMatchObject({ role: "owner", member_count: 2, head: 12 });
  });

  it("keep the user's role from a newer welcome", () => {
    const state = welcomed(initial(alice), welcome({}, { rooms: [room(1, { role: "owner", head: 12 })] }), []);
    expect(apply(state, role(11, 7, "member")).rooms[1]?.role).toBe("owner");
  });

  it("reload bans after a ban, and drop a ban that was lifted", () => {
    const bans = [{ user: 9, user_name: "carol", by: 8, at: AT }];
    const looked: State = { ...inRoom(), bans: { 1: bans } };
    expect(apply(looked, { ...about(11, 9, "carol"), type: "member.unbanned" }).bans).toEqual({ 1: [] });
    expect(apply(looked, banned(11, 10, false)).bans).toEqual({});
  });
});

describe("the end of the user's membership", () => {
  it("is reported once, with the reason, in any order of events", () => {
    const wanted = { room: 1, name: "room 1", why: "banned", reason: "spam" };
    const own = [banned(11, 7), gone("banned", "spam")];
    for (const events of [own, own.toReversed(), [...own, ...own]]) {
      const state = apply(inRoom(), ...events);
      expect(state).toMatchObject({ rooms: {}, members: {} });
      expect(state.gone).toMatchObject({ ...wanted, reason: expect.anything() as unknown });
    }
  });

  it("is not reported when the user left", () => {
    expect(apply(inRoom(), { ...about(11, 7, "alice"), type: "member.left" }, gone("left"))).toMatchObject({ rooms: {}, gone: null });
  });

  it("is reported after an absence, when the welcome does not include the room", () => {
    const back = welcomed(inRoom(), welcome({}), []);
    expect(apply(back, gone("removed")).gone).toEqual({ room: 1, name: "room 1", why: "removed" });
    expect(apply(back, gone("left")).gone).toBeNull();
  });

  it("is forgotten when the user joins again", () => {
    expect(apply(inRoom(), removed(11, 7), gone("removed"), added({ head: 20 }))).toMatchObject({ rooms: { 1: { head: 20 } }, gone: null });
  });
});

describe("joining a room", () => {
  it("counts the user once, in any order of answer and events", () => {
    const before = { ...initial(alice), rooms: {} };
    const events = [added({ member_count: 2, head: 10 }), joined(11, 7, "alice")];
    expect(apply(before, ...events).rooms[1]).toMatchObject({ member_count: 3, head: 11, joined: true });
    const answered: State = { ...before, rooms: { 1: room(1, { member_count: 3, head: 11 }) } };
    expect(apply(answered, ...events)).toMatchObject({ rooms: answered.rooms });
  });
});
