import { describe, expect, it } from "vitest";
import type { Chat } from "../src/chat.svelte";
import type { Messages } from "../src/contract";
import { noteText } from "../src/features/messages/notes";
import { silence } from "../src/features/timeline/pages";
import { ReadMarker } from "../src/features/unread/marker";
import { permalink, parsePermalink } from "../src/features/timeline/permalinks";
import { noteOf } from "../src/state/event_types";
import type { ChatEvent } from "../src/state/events";
import { timelineExtended, timelineOpened, timelineStarted, welcomed } from "../src/state/load";
import type { NoteItem } from "../src/state/notes";
import { reduce } from "../src/state/reduce";
import { rows } from "../src/state/rows";
import { initial, type State } from "../src/state/state";
import {
  arrived,
  extended,
  fromMessage,
  LIMIT,
  narrowed,
  opened,
  started,
  trimmed,
  type Item,
  type Page,
  type Timeline,
} from "../src/state/timeline";
import { alice, joined, room, said, welcome } from "./build";

const message = (seq: number, at = "2026-01-02T10:00:00Z", by = 8): Item => fromMessage(said(seq, { at, by }));
const note = (seq: number, user: number, name: string): NoteItem => noteOf(joined(seq, user, name)) as NoteItem;
const range = (from: number, to: number): number[] => Array.from({ length: to - from + 1 }, (_, at) => from + at);
const page = (from: number, to: number, more: Partial<Page> = {}): Page => ({
  items: range(from, to).map((seq) => message(seq)),
  older: from > 1,
  newer: false,
  head: to,
  ...more,
});
const window = (from: number, to: number, more: Partial<Page> = {}): Timeline => opened(started(1, null), 1, page(from, to, more));
const seqs = ({ items }: Pick<Timeline, "items">): number[] => items.map((item) => item.seq);
const hear = (timeline: Timeline, from: number, to: number): Timeline =>
  range(from, to).reduce((now, seq) => arrived(now, message(seq)), timeline);

describe("a window", () => {
  it("keeps items that arrived while its page was loading", () => {
    expect(seqs(opened(hear(started(1, null), 12, 13), 1, page(10, 12)))).toEqual([10, 11, 12, 13]);
  });

  it("grows at both ends without gaps", () => {
    let timeline = window(40, 50, { newer: true, head: 70 });
    timeline = extended(timeline, "older", 40, page(30, 39));
    timeline = extended(timeline, "newer", 50, page(51, 60, { newer: true, head: 70 }));
    expect(seqs(timeline)).toEqual(range(30, 60));
    expect(timeline).toMatchObject({ older: true, newer: true });
    timeline = extended(timeline, "newer", 60, page(61, 70));
    expect(seqs(timeline)).toEqual(range(30, 70));
    expect(timeline.newer).toBe(false);
    expect(extended(timeline, "older", 30, page(1, 29)).older).toBe(false);
  });

  it("ignores a page that would leave a gap, since its end was unloaded meanwhile", () => {
    const timeline = narrowed(window(1, 50), 20, 40);
    expect(extended(timeline, "older", 1, page(1, 1))).toBe(timeline);
    expect(extended(timeline, "newer", 50, page(51, 60))).toBe(timeline);
  });

  it("keeps later items in the tail and adds them when it reaches the newest", () => {
    let timeline = hear(window(1, 20, { newer: true, head: 40 }), 41, 45);
    expect(seqs(timeline)).toEqual(range(1, 20));
    timeline = extended(timeline, "newer", 20, page(21, 43, { head: 43 }));
    expect(seqs(timeline)).toEqual(range(1, 45));
    expect(seqs(hear(timeline, 46, 46)).at(-1)).toBe(46);
  });

  it("continues loading if more happened during a page request than the tail holds", () => {
    const timeline = extended(hear(window(1, 20, { newer: true, head: 40 }), 41, 400), "newer", 20, page(21, 60, { head: 60 }));
    expect(seqs(timeline)).toEqual(range(1, 60));
    expect(timeline.newer).toBe(true);
    const rest = extended(timeline, "newer", 60, page(61, 300, { head: 300 }));
    expect(seqs(rest)).toEqual(range(1, 400));
    expect(rest.newer).toBe(false);
  });

  it("is replaced by another one without a gap, from and to the newest", () => {
    const past = opened(hear(window(50, 60), 61, 62), 2, page(10, 20, { newer: true, head: 60 }));
    expect(seqs(past)).toEqual(range(10, 20));
    expect(past.tail).toMatchObject({ from: 60 });
    const present = opened(hear(past, 63, 64), 3, page(55, 63, { head: 63 }));
    expect(seqs(present)).toEqual(range(55, 64));
    expect(present).toMatchObject({ newer: false, load: 3 });
  });

  it("unloads either end and knows that there is more", () => {
    expect(narrowed(window(1, 9), 3, 7)).toMatchObject({ older: true, newer: true });
    const up = hear(narrowed(window(1, 9), 1, 7), 10, 11);
    expect([up.older, up.newer, ...seqs(up)]).toEqual([false, true, ...range(1, 7)]);
    expect(seqs(extended(up, "newer", 7, page(8, 9, { head: 9 })))).toEqual(range(1, 11));
    expect(seqs(trimmed(window(1, 9), 2))).toEqual([8, 9]);
    const crowd = Array.from({ length: 6 }, (_, at) => note(at + 10, at + 20, `user ${at}`));
    const mixed = { ...window(1, 9), items: [...window(1, 9).items, ...crowd] };
    expect(seqs(trimmed(mixed, 2))).toEqual([8, 9, 14, 15]);
    expect(seqs(trimmed(mixed, 20))).toEqual(seqs(mixed));
    expect(narrowed(window(1, 9), 20, 30)).toEqual(window(1, 9));
  });

  it("is bounded, however much arrives in a room that the user does not look at", () => {
    const flooded = hear(window(1, 1, { head: 1 }), 2, 3 * LIMIT);
    expect(flooded.items).toHaveLength(LIMIT);
    expect(flooded.tail.items.length).toBeLessThanOrEqual(200);
    expect(flooded.newer).toBe(true);
  });

  it("changes nothing when the same item arrives twice", () => {
    for (const timeline of [hear(window(1, 9), 10, 10), hear(window(1, 9, { newer: true, head: 20 }), 21, 22)]) {
      expect(seqs(arrived(timeline, message(10)))).toEqual(seqs(timeline));
      expect(arrived(timeline, message(22)).tail).toEqual(timeline.newer ? timeline.tail : { from: 0, items: [] });
    }
  });

  it("ignores the page of another window", () => {
    let state: State = timelineStarted(welcomed(initial(alice), welcome({}, { rooms: [room(1)] }), []), 1, 1);
    state = timelineOpened(state, 1, 2, page(5, 9));
    const before = { side: "older", edge: 5 } as const;
    expect(timelineExtended(state, 1, 1, before, page(1, 4))).toBe(state);
    expect(seqs(timelineExtended(state, 1, 2, before, page(1, 4)).timelines[1]!)).toEqual(range(1, 9));
  });
});

describe("rows", () => {
  const found = (items: Item[], readAt: number | null = null, me = 7, older = false) => rows({ items, readAt, older }, me);
  const kinds = (...given: Parameters<typeof found>) => found(...given).map((row) => row.kind);

  it("group messages that one author sends within five minutes", () => {
    const items = [
      message(1, "2026-01-02T10:00:00Z"),
      message(2, "2026-01-02T10:04:59Z"),
      message(3, "2026-01-02T10:09:59Z"),
      message(4, "2026-01-02T10:10:01Z", 9),
    ];
    expect(found(items).map((row) => (row.kind === "message" ? row.first : row.kind))).toEqual(["day", true, false, true, true]);
  });

  it("have a line between two days, with unique keys even if the clock went back", () => {
    const days = found([message(1, "2026-01-02T12:00:00Z"), message(2, "2026-01-04T12:00:00Z"), message(3, "2026-01-02T12:00:00Z")]);
    expect(days.map((row) => row.kind)).toEqual(["day", "message", "day", "message", "day", "message"]);
    expect(new Set(days.map((row) => row.key)).size).toBe(6);
  });

  it("mark the first unread message, unless it is the user's own", () => {
    const items = [message(1), message(2)];
    expect(kinds(items, 1)).toEqual(["day", "message", "new", "message"]);
    expect(kinds(items, 1, 8)).toEqual(["day", "message", "message"]);
    expect(kinds(items, 2)).toEqual(["day", "message", "message"]);
  });

  it("have no mark if the first unread message is above or below the window", () => {
    const items = [message(5), message(6)];
    expect(kinds(items, 3, 7, true)).toEqual(["day", "message", "message"]);
    expect(kinds(items, 3, 7, false)).toEqual(["day", "new", "message", "message"]);
    expect(kinds(items, 9, 7, true)).toEqual(["day", "message", "message"]);
  });

  it("combine successive joins, each row with a unique key", () => {
    const all = found([note(1, 8, "bob"), note(2, 9, "carol"), message(3, "2026-01-02T03:05:00Z"), note(4, 10, "dan")]);
    expect(all.map((row) => row.kind)).toEqual(["day", "notes", "message", "notes"]);
    expect(new Set(all.map((row) => row.key)).size).toBe(4);
  });
});

describe("event lines", () => {
  const at = { topic: "room:1", seq: 3, at: "2026-01-02T10:00:00Z", room: 1 };
  const textOf = (event: ChatEvent, me = 7): string | undefined => {
    const found = noteOf(event);
    return found ? noteText([found], me) : undefined;
  };

  it("name up to three users, then count", () => {
    const notes = ["bob", "carol", "dan", "eve"].map((name, index) => note(index + 1, index + 8, name)) as [
      NoteItem,
      NoteItem,
      NoteItem,
      NoteItem,
    ];
    expect(noteText([notes[0]], 7)).toBe("bob joined");
    expect(noteText([notes[0], notes[1], notes[2]], 8)).toBe("You, carol and dan joined");
    expect(noteText(notes, 7)).toBe("bob, carol and 2 others joined");
  });

  it('say "You" for the user', () => {
    const removed = { ...at, type: "member.removed", user: 7, user_name: "alice", by: 8 } as const;
    expect([textOf(removed), textOf(removed, 8)]).toEqual(["You were removed", "alice was removed"]);
    expect(textOf({ ...at, type: "member.role_changed", user: 7, user_name: "alice", by: 8, role: "owner" })).toBe("You are now the owner");
  });

  it("say what was changed", () => {
    const by = { by: 8, name: "bob" };
    expect(textOf({ ...at, ...by, type: "room.updated", changes: { name: "Garden", topic: "" } })).toBe(
      "bob renamed this room to “Garden”, removed the topic",
    );
    expect(textOf({ ...at, ...by, type: "room.archived" })).toBe("bob archived this room");
    expect(textOf({ ...at, type: "member.joined", user: 9, user_name: "carol", by: 8 })).toBe("carol was added");
    expect(noteOf({ ...at, ...by, type: "message.pinned", message: 2 })?.text).toMatchObject({ does: "pinned a message", message: 2 });
  });

  it("do not exist for unknown types and other topics", () => {
    expect(noteOf({ ...at, type: "constructor" } as unknown as ChatEvent)).toBeNull();
    expect(noteOf({ ...at, topic: "site", type: "room.archived", by: 8, name: "bob" })).toBeNull();
  });

  it("appear in the room's timeline at once", () => {
    let state: State = timelineOpened(
      timelineStarted(welcomed(initial(alice), welcome({}, { rooms: [room(1)] }), []), 1, 1),
      1,
      1,
      page(9, 10),
    );
    state = reduce(reduce(state, joined(11, 9, "carol")), { ...at, seq: 12, type: "room.archived", by: 8, name: "bob" });
    expect(state.timelines[1]?.items.slice(2).map((item) => item.kind === "note" && item.text.does)).toEqual([
      "joined",
      "archived this room",
    ]);
  });
});

describe("stretches without messages", () => {
  const of = (numbers: number[], before: boolean, after: boolean): Pick<Messages, "messages" | "more"> => ({
    messages: numbers.map((seq) => ({ ...said(seq), body: "" })),
    more: { before, after },
  });

  it.each([
    ["nothing, where numbers follow each other", of([5, 6, 7], true, true), { around: 6 }, null],
    ["what is between two messages", of([5, 6, 9, 12, 13], true, true), { around: 9 }, { after: 6, to: 11 }],
    ["what came first of all", of([3, 4], false, true), null, { after: 0, to: 2 }],
    ["what came last of all", of([10, 11], true, false), null, { after: 11, to: 20 }],
    ["what is up to the window one has", of([5, 6], true, true), { before: 9 }, { after: 6, to: 8 }],
    ["what is from the window one has", of([8, 9], true, true), { after: 5 }, { after: 5, to: 7 }],
    ["everything in a room without words", of([], false, false), null, { after: 0, to: 20 }],
  ] as const)("is %s", (_, page, where, span) => expect(silence(page, where, 20)).toEqual(span));
});

describe("permalinks", () => {
  it("lead to a room and to a message", () => {
    expect(parsePermalink("#room/12")).toEqual({ room: 12 });
    expect(parsePermalink(permalink(12, 345))).toEqual({ room: 12, message: 345 });
  });

  it.each(["", "#room/", "#room/x", "#room/1/", "#room/1/2/3", "#room/1/-2", "#token"])("do not match %j", (hash) =>
    expect(parsePermalink(hash)).toBeNull(),
  );
});

describe("read positions", () => {
  function reader(newer: boolean): { marker: ReadMarker; sent: unknown[] } {
    const sent: unknown[] = [];
    const state = welcomed(initial(alice), welcome({}, { rooms: [room(1, { unread_count: 3, read_seq: 6 })] }), []);
    const chat = {
      state: timelineOpened(timelineStarted(state, 1, 1), 1, 1, page(5, 9, { newer, head: 9 })),
      sync: { live: true },
      update(change: (state: State) => State) {
        this.state = change(this.state);
      },
      input: (input: unknown) => sent.push(input),
    };
    return { marker: new ReadMarker(chat as unknown as Chat), sent };
  }
  const look = ({ marker }: ReturnType<typeof reader>): void => (marker.seen(1), marker.flush());

  it("are sent when the end is seen, and not if there is more below", () => {
    const [present, past] = [reader(false), reader(true)];
    look(present);
    look(past);
    expect(present.sent).toEqual([{ type: "read", room: 1, seq: 9 }]);
    expect(past.sent).toEqual([]);
  });

  it("are not sent while the user keeps a room unread, until they leave it", () => {
    const held = reader(false);
    held.marker.hold(1);
    look(held);
    held.marker.left(2);
    look(held);
    expect(held.sent).toEqual([]);
    held.marker.left(1);
    look(held);
    expect(held.sent).toHaveLength(1);
    const late = reader(false);
    late.marker.seen(1);
    late.marker.hold(1);
    late.marker.flush();
    expect(late.sent).toEqual([]);
  });
});
