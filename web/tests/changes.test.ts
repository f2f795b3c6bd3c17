import { describe, expect, it } from "vitest";
import { applied, type Change } from "../src/state/changes";
import type { ChatEvent } from "../src/state/events";
import { messageLoaded, pinsLoaded, timelineExtended, timelineOpened, timelineStarted, welcomed } from "../src/state/load";
import { reduce } from "../src/state/reduce";
import { initial, type State } from "../src/state/state";
import { fromMessage, LIMIT, messageAt, type MessageItem, type Page } from "../src/state/timeline";
import { alice, AT, room, said, welcome } from "./build";

const page = (from: number, to: number, head: number, more: Partial<Page> = {}): Page => ({
  items: Array.from({ length: to - from + 1 }, (_, at) => fromMessage(said(from + at), head)), older: true, newer: false, head, ...more,
});
const opened = (first: Page, more = {}): State =>
  timelineOpened(timelineStarted(welcomed(initial(alice), welcome({}, { rooms: [room(1, more)] }), []), 1, 1), 1, 1, first);
const apply = (state: State, ...events: ChatEvent[]): State => events.reduce(reduce, state);
const at = (state: State, seq: number): MessageItem => messageAt(state.timelines[1]!, seq)!;
const about = (seq: number, message: number) => ({ topic: "room:1", seq, at: AT, room: 1, message, by: 8 });
const edited = (seq: number, message: number, body?: string | null): Change => ({ ...about(seq, message), type: "message.edited", ...(body !== undefined && { body }) });
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
    const older = { ...page(1, 4, 12), items: [{ ...fromMessage(said(4), 12), reactions: [{ emoji: "👍", count: 1, mine: false, users: [9] }] }] };
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

describe("an edit without its text", () => {
  it("keeps the shown text and marks the message as outdated", () => {
    const state = apply(opened(page(5, 10, 10)), edited(11, 7));
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
  const many = { ...fromMessage(said(7), 10), reactions: [{ emoji: "👍", count: 21, mine: false, users: Array.from({ length: 20 }, (_, at) => at + 20) }] };
  const less = applied(many, taken(11, 7, 20), 7);
  expect(less).toMatchObject({ outdated: true, reactions: [{ count: 20 }] });
  expect(applied({ ...many, reactions: [{ emoji: "👍", count: 1, mine: true, users: [7] }] }, taken(11, 7, 7), 7).reactions).toEqual([]);
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
