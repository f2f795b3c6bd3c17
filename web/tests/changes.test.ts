import { describe, expect, it } from "vitest";
import { applied } from "../src/state/changes";
import type { Change, ChatEvent } from "../src/state/events";
import { messageLoaded, pinsLoaded, timelineExtended, timelineOpened, timelineStarted, welcomed } from "../src/state/load";
import { reduce } from "../src/state/reduce";
import { initial, type State } from "../src/state/state";
import { fromMessage, LIMIT, messageAt, type MessageItem, type Page } from "../src/state/timeline";
import { alice, AT, room, said, welcome } from "./build";

const page = (from: number, to: number, head: number, more: Partial<Page> = {}): Page => ({
  items: Array.from({ length: to - from + 1 }, (_, at) => fromMessage(said(from + at), head)),
  older: true,
  newer: false,
  head,
  ...more,
});
const opened = (first: Page, more = {}): State =>
  timelineOpened(timelineStarted(welcomed(initial(alice), welcome({}, { rooms: [room(1, more)] }), []), 1, 1), 1, 1, first);
const apply = (state: State, ...events: ChatEvent[]): State => events.reduce(reduce, state);
const at = (state: State, seq: number): MessageItem => messageAt(state.timelines[1]!, seq)!;
const about = (seq: number, message: number) => ({ topic: "room:1", seq, at: AT, room: 1, message, by: 8 });
const edited = (seq: number, message: number, body: string | null): Change => ({ ...about(seq, message), type: "message.edited", body });
const deleted = (seq: number, message: number): Change => ({ ...about(seq, message), type: "message.deleted", author: 8 });
const pinned = (seq: number, message: number): Change => ({ ...about(seq, message), type: "message.pinned", name: "bob" });
const reaction = (seq: number, message: number, by: number) => ({ ...about(seq, message), by, name: "x", emoji: "👍" });
const reacted = (seq: number, message: number, by: number): Change => ({ ...reaction(seq, message, by), type: "reaction.added" });
const taken = (seq: number, message: number, by: number): Change => ({ ...reaction(seq, message, by), type: "reaction.removed" });

describe("an answer that arrives late", () => {
  it("does not bring back text that was deleted or edited meanwhile", () => {
    const state = apply(opened(page(5, 10, 10)), deleted(11, 7), edited(12, 3, "new words"));
    const late = timelineExtended(state, 1, 1, { side: "older", edge: 5 }, page(1, 4, 10));
    expect(at(late, 3)).toMatchObject({ body: "new words", edited_at: AT });
    expect(at(timelineOpened(state, 1, 2, page(5, 10, 10)), 7)).toMatchObject({ body: null, deleted: true });
  });

  it("takes each change once, whichever of its pages includes it", () => {
    const older = {
      ...page(1, 4, 12),
      items: [{ ...fromMessage(said(4), 12), reactions: [{ emoji: "👍", count: 1, mine: false, users: [9] }] }],
    };
    const state = timelineExtended(opened(page(5, 10, 10)), 1, 1, { side: "older", edge: 5 }, older);
    const heard = apply(state, reacted(11, 5, 9), reacted(12, 4, 9), reacted(13, 4, 7));
    expect(at(heard, 4).reactions).toEqual([{ emoji: "👍", count: 2, mine: true, users: [9, 7] }]);
    expect(at(heard, 5).reactions).toHaveLength(1);
    expect(apply(heard, reacted(12, 4, 9), reacted(13, 4, 7))).toEqual(heard);
  });

  it("is requested again if more has happened than is remembered", () => {
    let state = opened(page(5, 10, 10));
    for (let seq = 11; seq < 11 + LIMIT; seq += 1) state = apply(state, pinned(seq, 6));
    expect(timelineExtended(state, 1, 1, { side: "older", edge: 5 }, page(1, 4, 10))).toBe(state);
    expect(state.changes[1]!.events.length).toBeLessThan(LIMIT);
    expect(pinsLoaded(state, 1, [], 10)).toBe(state);
  });
});

describe("events that are read later", () => {
  it("show the newest text, whichever edits follow", () => {
    const replayed = [said(11, { body: "newest" }), edited(12, 11, "newest"), edited(13, 11, "newest")] as const;
    const state = apply(opened(page(5, 10, 10)), ...replayed);
    expect(at(state, 11)).toMatchObject({ body: "newest", deleted: false, outdated: false, edited_at: AT });
    expect(apply(state, ...replayed)).toEqual(state);
  });

  it("show a deleted message as deleted from the start, and load nothing", () => {
    const before = apply(opened(page(5, 10, 10)), said(11, { body: null }), edited(12, 11, null));
    expect(at(before, 11)).toMatchObject({ body: null, deleted: true, outdated: false });
    const after = apply(before, deleted(13, 11));
    expect(at(after, 11)).toMatchObject({ body: null, deleted: true, outdated: false });
    expect(at(after, 11).edited_at).toBeUndefined();
  });
});

describe("an edit without its text", () => {
  it("keeps the shown text and marks the message as outdated", () => {
    const state = apply(opened(page(5, 10, 10)), edited(11, 7, null));
    expect(at(state, 7)).toMatchObject({ body: at(opened(page(5, 10, 10)), 7).body, outdated: true });
    const { kind: _, asOf: __, ...message } = at(opened(page(5, 10, 10)), 7);
    const loaded = messageLoaded(state, 1, { ...message, room: 1, body: "fresh" }, 11);
    expect(at(loaded, 7)).toMatchObject({ body: "fresh", asOf: 11 });
    expect(at(loaded, 7).outdated).toBeUndefined();
    expect(at(messageLoaded(state, 1, { ...message, room: 1, body: "stale" }, 10), 7).outdated).toBe(true);
  });

  it("needs no request if the server has deleted the text since", () => {
    const state = apply(opened(page(5, 10, 10)), edited(11, 7, null), edited(12, 7, "last words"));
    expect(at(state, 7)).toMatchObject({ body: "last words", outdated: false });
  });
});

it("marks the message as outdated if the next reacting user is unknown", () => {
  const many = {
    ...fromMessage(said(7), 10),
    reactions: [{ emoji: "👍", count: 21, mine: false, users: Array.from({ length: 20 }, (_, at) => at + 20) }],
  };
  const less = applied(many, taken(11, 7, 20), 7);
  expect(less).toMatchObject({ outdated: true, reactions: [{ count: 20 }] });
  expect(applied({ ...many, reactions: [{ emoji: "👍", count: 1, mine: true, users: [7] }] }, taken(11, 7, 7), 7).reactions).toEqual([]);
});

describe("a deletion", () => {
  /** Every field of a message: whether it stays. A new field does not compile until it is here. */
  const STAYS: Record<keyof MessageItem, boolean> = {
    kind: true,
    asOf: true,
    seq: true,
    n: true,
    at: true,
    by: true,
    name: true,
    bot: true,
    key: true,
    reply_to: true,
    body: false,
    deleted: false,
    edited_at: false,
    forwarded: false,
    mentions: false,
    pinned: false,
    reactions: false,
    outdated: false,
  };
  const full: Required<MessageItem> = {
    kind: "message",
    asOf: 10,
    seq: 7,
    n: 7,
    at: AT,
    by: 8,
    name: "bob",
    bot: true,
    key: "k7",
    reply_to: 3,
    body: "secret",
    deleted: false,
    edited_at: AT,
    forwarded: { by: 9, name: "secret", at: AT },
    mentions: { users: [7] },
    pinned: true,
    reactions: [{ emoji: "👍", count: 1, mine: false, users: [9] }],
    outdated: true,
  };

  it("leaves the listed fields of a message, and none that this version does not know", () => {
    const left = applied({ ...full, title: "secret" }, deleted(11, 7), 7);
    for (const [field, stays] of Object.entries(STAYS)) {
      const [before, after] = [full, left].map((item) => (item as unknown as Record<string, unknown>)[field]);
      if (field !== "asOf") expect(JSON.stringify(after) === JSON.stringify(before), field).toBe(stays);
    }
    expect(left).toMatchObject({ asOf: 11, body: null, deleted: true, pinned: false, reactions: [] });
    expect(JSON.stringify(left)).not.toContain("secret");
  });

  it("leaves the text nowhere in the state", () => {
    const before = apply(
      opened({ ...page(5, 10, 10), quotes: [{ ...fromMessage(said(7), 10), body: "secret" }] }),
      edited(11, 7, "secret"),
      pinned(12, 7),
    );
    expect(JSON.stringify(before).split("secret").length).toBeGreaterThan(2);
    const after = apply(before, deleted(13, 7));
    expect(JSON.stringify(after)).not.toContain("secret");
    const late = timelineExtended(after, 1, 1, { side: "older", edge: 5 }, page(1, 4, 10));
    expect(at(late, 4).body).toBe("text 4");
    expect(at(timelineOpened(after, 1, 2, page(5, 10, 11)), 7)).toMatchObject({ body: null, deleted: true });
  });
});

describe("pins", () => {
  it("are reloaded when a message is pinned that is not loaded", () => {
    const state = pinsLoaded(opened(page(5, 10, 10)), 1, [], 10);
    expect(apply(state, pinned(11, 7)).pins[1]).toMatchObject([{ seq: 11, message: { seq: 7, pinned: true } }]);
    expect(apply(state, pinned(11, 2)).pins).toEqual({});
  });
});

describe("quotes", () => {
  it("come from loaded messages and change with them", () => {
    const state = apply(opened(page(5, 10, 10)), said(11, { reply_to: 7 }), deleted(12, 7));
    expect(state.timelines[1]!.quotes[7]).toMatchObject({ body: null, deleted: true });
    expect(at(state, 7)).toMatchObject({ deleted: true });
    expect(apply(state, said(13, { reply_to: 2 })).timelines[1]!.quotes[2]).toBeUndefined();
  });
});
