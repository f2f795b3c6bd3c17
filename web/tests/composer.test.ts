import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { Chat } from "../src/chat.svelte";
import { begunAt, emoji, mayMentionAll, names, whole } from "../src/features/composer/completion";
import { composing, Composing } from "../src/features/composer/composing.svelte";
import { lastOwn } from "../src/features/composer/sending";
import { Drafts, recentEmoji, usedEmoji } from "../src/persistence";
import type { Room } from "../src/state/model";
import { known, loadEmoji, search } from "../src/ui/emoji";

// A browser whose service worker caches the page.
vi.stubGlobal("navigator", { serviceWorker: { controller: {} } });
const groups = await loadEmoji();
vi.unstubAllGlobals();

describe("the word to complete at the caret", () => {
  it.each([
    ["@", 1, "name", ""],
    ["hello @an", 9, "name", "an"],
    ["hello @an and on", 9, "name", "an"],
    ["(@Ан", 4, "name", "Ан"],
    ["so :ta", 6, "emoji", "ta"],
    [":+1", 3, "emoji", "+1"],
  ])("%j at %i is a %s %j", (text, caret, kind, query) => {
    expect(begunAt(text, caret)).toEqual({ kind, query, from: caret - query.length - 1, to: caret });
  });

  it.each([
    ["me@an", 5],
    ["@an ", 4],
    ["12:30", 5],
    ["at :30", 6],
    ["a:ta", 4],
    [":t", 2],
    ["::ta", 4],
    ["https://a", 9],
    ["", 0],
  ])("is nothing in %j", (text, caret) => {
    expect(begunAt(text, caret)).toBeNull();
  });
});

describe("suggestions", () => {
  const members = ["bob", "Anna", "anton", "Ärger"].map((name, at) => ({ id: at + 1, name }));
  const texts = (query: string): string[] => names(members, query, true).map((one) => one.text);

  it("list members by prefix, then @room and @here", () => {
    expect(texts("an")).toEqual(["@Anna ", "@anton "]);
    expect(texts("är")).toEqual(["@Ärger "]);
    expect(texts("ro")).toEqual(["@room "]);
    expect(texts("").slice(-2)).toEqual(["@room ", "@here "]);
    expect(texts("zz")).toEqual([]);
  });

  it("are at most eight, including @room and @here", () => {
    const crowd = Array.from({ length: 500 }, (_, at) => ({ id: at, name: `r${at}` }));
    expect(names(crowd, "", true)).toHaveLength(8);
    expect(names(crowd, "r", true).at(-1)?.text).toBe("@room ");
  });

  it("include @room and @here only if the user may use them", () => {
    const room = { kind: "public", member_count: 21, joined: true, role: "member" } as Room;
    const member = { role: "member" } as const;
    expect(names(members, "", false).map((one) => one.text)).not.toContain("@room ");
    expect(mayMentionAll(member, room)).toBe(false);
    expect([
      mayMentionAll({ role: "admin" }, room),
      mayMentionAll(member, { ...room, role: "moderator" }),
      mayMentionAll(member, { ...room, member_count: 20 }),
      mayMentionAll(member, { ...room, kind: "direct" }),
    ]).toEqual([true, true, true, true]);
  });

  it("list emoji by name, recently used ones first among equals", () => {
    expect(emoji(groups, "tada", [])[0]).toMatchObject({ text: "🎉 ", label: ":tada:", emoji: "🎉" });
    expect(search(groups, "smile", [], 1)[0]?.emoji).toBe("😄");
    const plain = search(groups, "cat", [], 80).map((one) => one.emoji);
    const later = plain.slice(2).find((one) => one === "🐈") ?? plain.at(-1)!;
    expect(
      search(groups, "cat", [later], 80)
        .map((one) => one.emoji)
        .indexOf(later),
    ).toBeLessThanOrEqual(plain.indexOf(later));
    expect(search(groups, "no such thing", [], 8)).toEqual([]);
  });

  it("replace :name: at its second colon", () => {
    expect(whole(groups, "so :tada:", 9)).toMatchObject({ from: 3, to: 9, emoji: "🎉" });
    expect(whole(groups, "so :tada: x", 11)).toBeNull();
    expect(whole(groups, "10:30:", 6)).toBeNull();
    expect(whole(groups, ":nothing_like_it:", 17)).toBeNull();
  });

  it("include every emoji once, in nine categories, each with a name", () => {
    const all = groups.flat();
    expect(groups).toHaveLength(9);
    expect(new Set(all.map((one) => one.emoji)).size).toBe(all.length);
    expect(all.every((one) => one.names[0] && one.label)).toBe(true);
    expect(all.filter((one) => /\p{Emoji_Presentation}\uFE0F/u.test(one.emoji))).toEqual([]);
    expect(all.map((one) => one.emoji)).toEqual(expect.arrayContaining(["👍", "❤️", "👨‍👩‍👧‍👦", "🇪🇺"]));
    expect(known(groups, ["🎉", "not one"]).map((one) => one.emoji)).toEqual(["🎉"]);
  });
});

describe("composing", () => {
  const bob = { seq: 4, by: 8, name: "bob" };
  const ann = { ...bob, body: "the old words" };
  let stored: Map<string, string>;
  let sent: unknown[];
  let others: ((event: unknown) => void)[];
  let answer: () => Promise<unknown>;

  beforeEach(() => {
    stored = new Map();
    sent = [];
    others = [];
    answer = () => Promise.resolve({ ok: true, json: () => Promise.resolve({}) });
    const storage = {
      getItem: (key: string) => stored.get(key) ?? null,
      setItem: (key: string, value: string) => void stored.set(key, value),
      removeItem: (key: string) => void stored.delete(key),
    };
    vi.stubGlobal("localStorage", storage);
    vi.stubGlobal("document", { baseURI: "http://h/" });
    vi.stubGlobal("addEventListener", (_: string, heard: (event: unknown) => void) => others.push(heard));
    vi.stubGlobal("fetch", (url: string, request: { method: string; body: string }) => {
      sent.push([request.method, url, JSON.parse(request.body)]);
      return answer();
    });
  });

  afterEach(() => void vi.unstubAllGlobals());

  /** Typing signals are sent too and do not matter here. */
  const taken = (input: { type: string }): void => void (input.type === "typing" || sent.push(input));
  const chatOf = (timelines = {}): Chat => {
    const drafts = new Drafts(7);
    drafts.start();
    return { state: { me: { id: 7 }, timelines }, drafts, input: taken } as unknown as Chat;
  };
  const opened = (chat = chatOf()): Composing => new Composing(chat, 1);
  /** The event this window receives when another window stores a draft. */
  const hear = (): void => others.forEach((heard) => stored.forEach((newValue, key) => heard({ key, newValue })));

  it("returns the same instance per chat and room", () => {
    const chat = chatOf();
    expect(composing(chat, 1)).toBe(composing(chat, 1));
    expect(composing(chat, 1)).not.toBe(composing(chat, 2));
  });

  it("restores a draft and its reply after a reload, and clears it once it is sent", async () => {
    const before = opened();
    before.write("half a thought");
    before.reply(ann);
    const after = opened();
    expect(after).toMatchObject({ text: "half a thought", intent: { kind: "reply", message: bob } });
    await after.submit();
    expect(sent).toMatchObject([{ type: "send", room: 1, body: "half a thought", reply_to: 4 }]);
    expect(after).toMatchObject({ text: "", intent: null });
    expect(stored.size).toBe(0);
  });

  it("restores the draft when an edit ends, also after a reload during the edit", () => {
    const before = opened();
    before.write("half a thought");
    before.edit(ann);
    before.write("the new words");
    const after = opened();
    expect(after).toMatchObject({ text: "the new words", intent: { kind: "edit", message: bob } });
    after.cancel();
    expect(after).toMatchObject({ text: "half a thought", intent: null });
    expect(opened()).toMatchObject({ text: "half a thought", intent: null });
  });

  it("keeps the text of an edit that the server refused, with the reason", async () => {
    const one = opened();
    one.write("half a thought");
    one.edit(ann);
    one.write("the new words");
    answer = () => Promise.reject(new TypeError());
    await one.submit();
    expect(one).toMatchObject({ text: "the new words", busy: false, intent: { kind: "edit" } });
    expect(one.trouble).toContain("Can't reach the server");
    answer = () => Promise.resolve({ ok: true, json: () => Promise.resolve({}) });
    await one.submit();
    expect(sent.at(-1)).toEqual(["PATCH", "http://h/api/rooms/1/messages/4", { body: "the new words" }]);
    expect(one).toMatchObject({ text: "half a thought", intent: null, trouble: "" });
  });

  it("sends no request for an unchanged edit, and only one edit at a time", async () => {
    const one = opened();
    one.edit(ann);
    await one.submit();
    expect(sent).toEqual([]);
    one.edit(ann);
    one.write("new");
    const first = one.submit();
    await one.submit();
    await first;
    expect(sent).toHaveLength(1);
  });

  it("keeps text that the user types while an edit is under way", async () => {
    const one = opened();
    one.edit(ann);
    one.write("new");
    const going = one.submit();
    one.cancel();
    one.write("something else");
    await going;
    expect(one.text).toBe("something else");
  });

  it("puts a refused message before the present draft", () => {
    const one = opened();
    one.write("begun since");
    one.returnUnsent({ key: "k", room: 1, body: "refused", at: 0, status: "failed" });
    expect(one.text).toBe("refused\n\nbegun since");
    expect(sent).toEqual([{ type: "discard", key: "k" }]);
  });

  it("keeps the new text of an edit when the user switches to another message", () => {
    const other = { seq: 5, by: 7, name: "alice", body: "another one" };
    const one = opened();
    one.write("half a thought");
    one.edit(ann);
    one.write("the new words");
    one.edit(ann);
    expect(one.text).toBe("the new words");
    one.edit(other);
    expect(one).toMatchObject({ text: "another one", edits: [{ message: bob, text: "the new words" }] });
    one.reply(ann);
    expect(one).toMatchObject({ text: "half a thought", intent: { kind: "reply" }, edits: [{ text: "the new words" }] });
    const after = opened();
    after.edit(ann);
    expect(after).toMatchObject({ text: "the new words", edits: [] });
    after.cancel();
    expect(after.edits).toHaveLength(1);
    after.continueEdit(after.edits[0]!);
    expect(after).toMatchObject({ text: "the new words", intent: { kind: "edit", message: bob }, edits: [] });
    after.cancel();
    after.discardEdit(after.edits[0]!);
    expect(opened()).toMatchObject({ text: "half a thought", edits: [] });
  });

  it("stores no text of messages that may be deleted: neither quotes nor unchanged edits", () => {
    const one = opened();
    one.reply(ann);
    one.edit({ ...ann, seq: 9, body: "its very old words" });
    one.write("its very old words!");
    one.write("its very old words");
    expect([...stored.values()].join()).not.toMatch(/old words/);
    one.write("quite new");
    expect([...stored.values()].join()).toContain("quite new");
  });

  it("turns the edit of a deleted message into a new message", async () => {
    const deleted = { kind: "message", seq: 4, by: 7, body: null };
    const one = opened(chatOf({ 1: { items: [deleted], tail: { items: [] }, quotes: {} } }));
    one.write("half a thought");
    one.edit(ann);
    expect(one).toMatchObject({ gone: true, changed: false });
    one.write("the new words");
    await one.submit();
    expect(sent).toEqual([]);
    one.keepAsNew();
    expect(one).toMatchObject({ text: "the new words\n\nhalf a thought", intent: null, gone: false, edits: [] });
  });

  it("asks whether to delete a message that an edit leaves without text", async () => {
    const one = opened();
    const asked: number[] = [];
    const end = one.asking((seq) => asked.push(seq));
    one.edit(ann);
    one.write(" ");
    await one.submit();
    expect([asked, sent]).toEqual([[4], []]);
    end();
    one.cancel();
    expect(one.edits).toEqual([]);
  });

  it("puts unsent messages before the draft, once, whether the room is open or not", () => {
    const chat = chatOf();
    for (const room of [1, 2]) {
      chat.drafts.save(room, { text: "begun since" });
      if (room === 1) composing(chat, room).edit(ann);
      for (let window = 0; window < 2; window += 1) chat.drafts.returnUnsent(room, "one\n\ntwo");
      const now = composing(chat, room);
      now.cancel();
      expect(now).toMatchObject({ text: "one\n\ntwo\n\nbegun since", others: [] });
    }
    const here = composing(chat, 1);
    here.edit(ann);
    here.write("the new words");
    expect(here.unsent).toEqual(["one\n\ntwo\n\nbegun since", "the new words"]);
    here.clear();
    expect([here.unsent, opened().text]).toEqual([[], ""]);
  });

  it("writes and receives nothing after the chat has ended, and uses one listener for all rooms", () => {
    const ends = vi.fn();
    const signals: AbortSignal[] = [];
    vi.stubGlobal("addEventListener", (_: string, heard: () => void, { signal }: { signal: AbortSignal }) => {
      others.push(heard);
      signals.push(signal);
      signal.addEventListener("abort", ends);
    });
    const chat = chatOf();
    const rooms = [1, 2, 3].map((room) => composing(chat, room));
    expect(signals).toHaveLength(1);
    chat.drafts.stop();
    expect(ends).toHaveBeenCalledOnce();
    rooms[0]?.write("too late");
    expect(stored.size).toBe(0);
  });

  it("takes over the draft of another window if it has no text of its own", () => {
    const [here, there] = [opened(), opened()];
    there.write("from there");
    hear();
    expect(here.text).toBe("from there");
    here.edit(ann);
    there.write("from there, longer");
    hear();
    expect(here.text).toBe("the old words");
    here.cancel();
    expect(here.text).toBe("from there, longer");
  });

  it("keeps the draft of another window that was stored without an event", () => {
    const [here, there] = [opened(), opened()];
    there.write("from there");
    here.write("from here");
    expect(here.others).toEqual(["from there"]);
    expect(opened()).toMatchObject({ text: "from here", others: ["from there"] });
    here.swap("from there");
    expect(here).toMatchObject({ text: "from there", others: ["from here"] });
    here.forget("from here");
    expect(opened()).toMatchObject({ text: "from there", others: [] });
  });

  it("edits the user's last message that still exists", () => {
    const said = (seq: number, by: number, body: string | null): object => ({ kind: "message", seq, by, body });
    const items = [said(1, 7, "first"), said(2, 7, "second"), said(3, 7, null), said(4, 8, "not mine"), { kind: "joined", seq: 5, by: 7 }];
    const chat = (newer: boolean): Chat => ({ state: { me: { id: 7 }, timelines: { 1: { items, newer } } } }) as unknown as Chat;
    expect(lastOwn(chat(false), 1)?.seq).toBe(2);
    expect(lastOwn(chat(true), 1)).toBeNull();
    expect(lastOwn(chat(false), 2)).toBeNull();
  });

  it("remembers recently used emoji, the newest first, each once", () => {
    for (const one of ["🎉", "👍", "🎉"]) usedEmoji(7, one);
    expect(recentEmoji(7)).toEqual(["🎉", "👍"]);
    for (let at = 0; at < 40; at += 1) usedEmoji(7, `e${at}`);
    expect(recentEmoji(7)).toHaveLength(24);
    expect(recentEmoji(8)).toEqual([]);
  });
});
