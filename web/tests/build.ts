/** Builds protocol objects for tests. */
import type { MemberJoined, MessageSent } from "../src/state/events";
import type { Room, User } from "../src/state/model";
import type { Welcome } from "../src/sync/frames";

export const AT = "2026-01-02T03:04:05.678Z";

export const alice: User = { id: 7, name: "alice", role: "member", created_at: AT };

export function room(id: number, more: Partial<Room> = {}): Room {
  return {
    id,
    kind: "public",
    name: `room ${id}`,
    lobby: id === 1,
    created_by: 7,
    created_at: AT,
    member_count: 2,
    joined: true,
    head: 10,
    floor: 0,
    read_seq: 10,
    unread_count: 0,
    role: "member",
    ...more,
  };
}

export function welcome(heads: Record<string, number>, more: Partial<Welcome> = {}): Welcome {
  const rooms = Object.keys(heads)
    .filter((topic) => topic.startsWith("room:"))
    .map((topic) => room(Number(topic.slice(5)), { head: heads[topic]! }));
  return {
    type: "welcome",
    epoch: "e1",
    user: alice,
    rooms,
    heads,
    limits: { body: 16384, characters: 8000, frame: 65536, page: 200, name: 64, key: 64 },
    session: "s",
    status: { status: "online" },
    ...more,
  };
}

export function said(seq: number, more: Partial<MessageSent> = {}): MessageSent {
  return {
    topic: `room:${more.room ?? 1}`,
    seq,
    type: "message.sent",
    at: AT,
    room: 1,
    by: 8,
    name: "bob",
    n: seq,
    key: `k${seq}`,
    body: `text ${seq}`,
    ...more,
  };
}

export function joined(seq: number, user: number, name: string): MemberJoined {
  return { topic: "room:1", seq, type: "member.joined", at: AT, room: 1, user, user_name: name, by: user };
}
