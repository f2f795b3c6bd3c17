import { describe, expect, it } from "vitest";
import { MENTIONS_COUNTED as COUNTED } from "../src/limits";
import { readHere } from "../src/state/attention";
import type { ChatEvent } from "../src/state/events";
import { roomLoaded, welcomed } from "../src/state/load";
import { reduce } from "../src/state/reduce";
import { initial, type State } from "../src/state/state";
import { alice, AT, room, said, welcome } from "./build";

const inRoom = (more = {}, heads = {}): State => welcomed(initial(alice), welcome(heads, { rooms: [room(1, more)] }), []);
const apply = (state: State, ...events: ChatEvent[]): State => events.reduce(reduce, state);
const moved = (seq: number, read: number, unread: number, mentions = 0): ChatEvent => ({
  topic: "user:7",
  seq,
  type: "room.read_moved",
  at: AT,
  room: 1,
  read_seq: read,
  unread_count: unread,
  mention_count: mentions,
});
const me = { users: [7], room: false, here: false };
const everybody = { users: [], room: true, here: false };

describe("read positions", () => {
  it("follow the server, also backwards", () => {
    const state = apply(inRoom(), said(11), said(12, { mentions: me }), moved(4, 12, 0));
    expect(state.rooms[1]).toMatchObject({ read_seq: 12, unread_count: 0, mention_count: 0 });
    expect(apply(state, moved(5, 10, 2, 1)).rooms[1]).toMatchObject({ read_seq: 10, unread_count: 2, mention_count: 1 });
  });

  it("ignore moves from before the welcome", () => {
    const state = inRoom({ read_seq: 9, unread_count: 1, mention_count: 1 }, { "user:7": 20 });
    expect(apply(state, moved(19, 5, 5), moved(20, 10, 0)).rooms[1]).toMatchObject({ read_seq: 9, unread_count: 1, mention_count: 1 });
    expect(apply(state, moved(21, 10, 0)).rooms[1]).toMatchObject({ read_seq: 10, unread_count: 0, mention_count: 0 });
  });

  it("keep a newer local position until the server knows it", () => {
    const here = readHere(apply(readHere(apply(inRoom(), said(11)), 1, 11), said(12)), 1, 12);
    const answered = apply(here, moved(4, 11, 1));
    expect(answered.rooms[1]).toMatchObject({ read_seq: 12, unread_count: 0 });
    const settled = apply(answered, moved(5, 12, 0));
    expect(apply(settled, moved(6, 10, 2)).rooms[1]).toMatchObject({ read_seq: 10, unread_count: 2 });
  });

  it("ignore an answer that was read before they moved", () => {
    const state = apply(inRoom(), said(11), moved(4, 11, 0));
    expect(roomLoaded(state, room(1, { head: 11, read_seq: 10, unread_count: 1 }), []).rooms[1]).toMatchObject({
      read_seq: 11,
      unread_count: 0,
    });
    expect(roomLoaded(state, room(1, { head: 12, read_seq: 11, unread_count: 1 }), []).rooms[1]).toMatchObject({
      head: 12,
      unread_count: 1,
    });
  });
});

describe("mentions", () => {
  it("count messages that mention the user or everyone", () => {
    const heard = apply(
      inRoom(),
      said(11, { mentions: me }),
      said(12, { mentions: everybody }),
      said(13, { mentions: { ...me, users: [9] } }),
      said(14),
    );
    expect(heard.rooms[1]).toMatchObject({ unread_count: 4, mention_count: 2 });
    expect(readHere(heard, 1, 14).rooms[1]).toMatchObject({ unread_count: 0, mention_count: 0 });
    expect(apply(heard, said(15, { by: 7, mentions: everybody })).rooms[1]).toMatchObject({ unread_count: 0, mention_count: 0 });
  });

  it("are counted up to 100, where the exact number is unknown", () => {
    const state = apply(inRoom({ mention_count: COUNTED - 1 }), said(11, { mentions: me }), said(12, { mentions: me }));
    expect(state.rooms[1]).toMatchObject({ mention_count: COUNTED });
    const gone: ChatEvent = {
      topic: "room:1",
      seq: 13,
      type: "message.deleted",
      at: AT,
      room: 1,
      message: 12,
      by: 8,
      author: 8,
      mentioned: me,
    };
    expect(apply(state, gone).rooms[1]).toMatchObject({ mention_count: COUNTED });
    const few = apply(inRoom(), said(11, { mentions: me }), { ...gone, seq: 12, message: 11 });
    expect(few.rooms[1]).toMatchObject({ unread_count: 0, mention_count: 0 });
  });

  it("do not count deleted messages, whether read or the user's own", () => {
    const gone = (seq: number, message: number, author = 8): ChatEvent => ({
      topic: "room:1",
      seq,
      type: "message.deleted",
      at: AT,
      room: 1,
      message,
      by: author,
      author,
    });
    const heard = apply(inRoom(), said(11), said(12), said(13));
    expect(apply(heard, gone(14, 12)).rooms[1]).toMatchObject({ unread_count: 2 });
    expect(apply(heard, gone(14, 12), gone(14, 12)).rooms[1]).toMatchObject({ unread_count: 2 });
    expect(apply(readHere(heard, 1, 13), said(14), gone(15, 12)).rooms[1]).toMatchObject({ unread_count: 1 });
    expect(apply(heard, gone(14, 12, 7)).rooms[1]).toMatchObject({ unread_count: 3 });
  });
});
