import { describe, expect, it } from "vitest";
import type { Reaction } from "../src/contract";
import { byKey, ACTIONS, offered } from "../src/features/actions/action_list";
import type { ActionTarget } from "../src/features/permissions/on_messages";
import { gist } from "../src/features/markup/gist";
import { missing } from "../src/features/messages/missing.svelte";
import { spoken, whoReacted, withPending, type PendingReaction } from "../src/features/reactions/reactions";
import type { MessagePinned, MessageUnpinned } from "../src/state/events";
import { messageLoaded, pinsLoaded, timelineOpened, timelineStarted, welcomed } from "../src/state/load";
import type { Message, Pin, Room, User } from "../src/state/model";
import { pinsExtended } from "../src/state/pins";
import { reduce } from "../src/state/reduce";
import { initial, type State } from "../src/state/state";
import { fromMessage, type MessageItem } from "../src/state/timeline";
import { alice, AT, room, said, welcome } from "./build";

const item = (seq: number, more: Partial<MessageItem> = {}): MessageItem => ({ ...fromMessage(said(seq)), ...more });
const target = (message: Partial<MessageItem> = {}, where: Partial<Room> = {}, me: Partial<User> = {}): ActionTarget => ({
  me: { ...alice, ...me },
  room: room(2, where),
  message: item(5, message),
});
const labels = (seen: ActionTarget): string[] => offered(seen).map(({ label }) => label);
const reaction = (emoji: string, count: number, mine: boolean, users: number[]): Reaction => ({ emoji, count, mine, users });

describe("actions offered on a message", () => {
  const always = ["Reply", "React", "Forward", "Copy text", "Copy link"];

  it.each<[string, ActionTarget, readonly string[]]>([
    ["another user's message", target(), []],
    ["the user's own message", target({ by: alice.id }), ["Edit", "Delete"]],
    ["the user's own edited message", target({ by: alice.id, edited_at: AT }), ["Edit", "Edit history", "Delete"]],
    ["the user's own forwarded message", target({ by: alice.id, forwarded: { by: 8, name: "bob", at: AT } }), ["Delete"]],
    ["another user's message, for a moderator", target({ edited_at: AT }, { role: "moderator" }), ["Pin", "Edit history", "Delete"]],
    ["another user's message, for an admin", target({}, {}, { role: "admin" }), ["Pin", "Delete"]],
    [
      "another user's message in a direct room, where both users may pin and neither moderates",
      target({ pinned: true }, { kind: "direct", role: "owner" }),
      ["Unpin"],
    ],
    ["a message with reactions", target({ reactions: [reaction("👍", 1, false, [8])] }), ["Who reacted"]],
  ])("%s", (_, seen, more) => {
    const found = labels(seen).filter((label) => label !== "Mark as unread");
    expect(new Set(found)).toEqual(new Set([...always, ...more]));
  });

  it("archived rooms and deleted messages offer few actions", () => {
    const changing = ["Reply", "React", "Edit", "Delete", "Pin", "Unpin"];
    expect(labels(target({ by: alice.id }, { archived: true, role: "owner" }))).toEqual(
      expect.arrayContaining(["Forward", "Copy text", "Copy link"]),
    );
    const left = (seen: ActionTarget): string[] => labels(seen).filter((label) => changing.includes(label));
    expect(left(target({ by: alice.id }, { archived: true }))).toEqual(["Delete"]);
    expect(left(target({ by: alice.id, body: null, deleted: true }, { role: "owner" }))).toEqual([]);
    expect(labels(target({ body: null, deleted: true }))).toContain("Copy link");
  });

  it("every offered action has its own key, and none moves the focus", () => {
    for (const seen of [
      target(),
      target({ by: alice.id, pinned: true, edited_at: AT, reactions: [reaction("👍", 1, false, [8])] }, { role: "owner" }),
    ]) {
      const keys = offered(seen).map(({ key }) => key);
      expect(new Set(keys).size).toBe(keys.length);
    }
    expect(ACTIONS.filter(({ key }) => ["j", "k", "Enter", "Escape", "ArrowUp", "ArrowDown", "Home", "End"].includes(key))).toEqual([]);
    expect(byKey(target(), "R")?.label).toBe("Reply");
    expect(byKey(target({ by: alice.id }), "Backspace")?.label).toBe("Delete");
    expect(byKey(target(), "Delete")).toBeUndefined();
  });
});

describe("the summary of a message", () => {
  it.each([
    ["**one** _two_ `three`\nfour", "one two three"],
    ["||who did it|| was he", "▒▒▒ was he"],
    ["> quoted\n\nanswered", "quoted"],
    ["```js\nlet a\nlet b\n```", "let a"],
    ["- first\n- second", "first"],
    ["hello @bob [there](https://example.org/)", "hello @bob there"],
    ["x".repeat(500), `${"x".repeat(160)}…`],
    ["", ""],
  ])("%j", (body, words) => expect(gist(body)).toBe(words));
});

describe("reactions", () => {
  const two = [reaction("👍", 2, false, [8, 9])];
  const change = (on: boolean, until: number | null = null, emoji = "👍"): PendingReaction => ({ seq: 5, emoji, on, until });

  it("show the user's pending changes until the log confirms them", () => {
    expect(withPending(two, 5, [change(true)], 7)).toEqual([reaction("👍", 3, true, [8, 9, 7])]);
    expect(withPending(two, 5, [change(true, 9)], 7)[0]?.count).toBe(3);
    expect(withPending(two, 9, [change(true, 9)], 7)).toBe(two);
    expect(withPending(two, 5, [change(true, null, "🎉")], 7)[1]).toEqual(reaction("🎉", 1, true, [7]));
    expect(withPending([reaction("👍", 1, true, [7])], 5, [change(false)], 7)).toEqual([]);
    expect(withPending(two, 5, [change(false)], 7)).toBe(two);
  });

  it("have a label for screen readers that says who reacted", () => {
    const names = new Map([
      [8, "bob"],
      [9, "carol"],
    ]);
    expect(spoken(reaction("👍", 3, true, [7, 8, 9]))).toBe("👍 3, you and 2 others");
    expect(spoken(reaction("👍", 2, true, [7, 8]))).toBe("👍 2, you and 1 other");
    expect(spoken(reaction("👍", 1, true, [7]))).toBe("👍 1, you");
    expect(spoken(reaction("👍", 2, false, [8, 9]))).toBe("👍 2");
    expect(whoReacted(reaction("👍", 3, true, [8, 7, 9]), names, 7)).toBe("You, bob and carol");
    expect(whoReacted(reaction("👍", 30, true, [8, 7, 9]), names, 7)).toBe("You, bob, carol and 27 others");
    expect(whoReacted(reaction("👍", 1, false, [8]), names, 7)).toBe("bob");
    expect(whoReacted(reaction("👍", 1, false, [5]), names, 7)).toBe("1 person");
    expect(whoReacted(reaction("👍", 2, false, [5, 8]), names, 7)).toBe("bob and 1 other");
  });
});

describe("missing messages", () => {
  const message = (seq: number, more: Partial<Message> = {}): Message => ({
    room: 1,
    seq,
    n: seq,
    at: AT,
    by: 8,
    name: "bob",
    key: `k${seq}`,
    body: `text ${seq}`,
    ...more,
  });
  const open = (): State => {
    const started = timelineStarted(welcomed(initial(alice), welcome({ "room:1": 10 }), ["room:1"]), 1, 1);
    return timelineOpened(started, 1, 1, { items: [fromMessage(message(10), 10)], older: true, newer: false, head: 10 });
  };
  const asked = (state: State, floor = 0): number[] => [...missing(state.timelines[1]!, floor).values()];

  it("quoted messages and edits without their text are loaded", () => {
    let state = reduce(open(), said(11, { reply_to: 3 }));
    expect(asked(state)).toEqual([3]);
    expect(asked(state, 3)).toEqual([]);
    state = messageLoaded(state, 1, message(3), 11);
    expect(asked(state)).toEqual([]);
    state = reduce(state, { topic: "room:1", seq: 12, type: "message.edited", at: AT, room: 1, message: 10, by: 8, body: null });
    expect(asked(state)).toEqual([10]);
    expect(asked(messageLoaded(state, 1, message(10, { body: "new", edited_at: AT }), 12))).toEqual([]);
  });

  it("a deleted reply still shows its quote", () => {
    const state = reduce(reduce(open(), said(11, { reply_to: 3 })), {
      topic: "room:1",
      seq: 12,
      type: "message.deleted",
      at: AT,
      room: 1,
      message: 11,
      by: 8,
      author: 8,
    });
    expect(asked(state)).toEqual([3]);
  });

  it("pins are loaded page by page and take changes that happen meanwhile", () => {
    const pin = (seq: number, of: number): Pin => ({ seq, message: message(of, { pinned: true }), by: 7, name: "alice", at: AT });
    let state = pinsLoaded(open(), 1, [pin(10, 9), pin(8, 7)], 10);
    const unpinned: MessageUnpinned = {
      topic: "room:1",
      seq: 11,
      type: "message.unpinned",
      at: AT,
      room: 1,
      message: 4,
      by: 7,
      name: "alice",
    };
    state = reduce(state, unpinned);
    state = pinsExtended(state, 1, [pin(8, 7), pin(6, 5), pin(5, 4)], 10);
    const seqs = (now: State): number[] | undefined => now.pins[1]?.map(({ seq }) => seq);
    expect(seqs(state)).toEqual([10, 8, 6]);
    const pinned: MessagePinned = { topic: "room:1", seq: 12, type: "message.pinned", at: AT, room: 1, message: 10, by: 7, name: "alice" };
    expect(seqs(reduce(state, pinned))).toEqual([12, 10, 8, 6]);
    expect(pinsExtended(open(), 1, [pin(6, 5)], 10).pins[1]).toBeUndefined();
  });
});
