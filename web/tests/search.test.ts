import { describe, expect, it } from "vitest";
import { names } from "../src/features/composer/completion";
import { contains, ranked } from "../src/features/rooms/fuzzy";
import { byDay, followed, foundOf, keyOf } from "../src/features/search/found";
import { pieces, wordsAt } from "../src/features/search/marks";
import { begunAt, dates, isDate, isValid, queryOf, sameChip, taken, withChip, written } from "../src/features/search/query";
import type { ChatEvent } from "../src/state/events";
import { welcomed } from "../src/state/load";
import { reduce } from "../src/state/reduce";
import { initial, type State } from "../src/state/state";
import { composes } from "../src/ui/input_method";
import { alice, AT, room, welcome } from "./build";

const marked = (text: string, words: RegExp | null): string =>
  pieces(text, words)
    .map((piece) => (piece.marked ? `[${piece.text}]` : piece.text))
    .join("");

describe("filters in a query", () => {
  it("become chips once a space follows, in any place", () => {
    expect(taken("from:anna ", false)).toEqual({ chips: [{ name: "from", value: "anna" }], text: "" });
    expect(taken("cake from:anna tea", false)).toEqual({ chips: [{ name: "from", value: "anna" }], text: "cake tea" });
    expect(taken('IN:"Secret plans" cake', false)).toEqual({ chips: [{ name: "in", value: "Secret plans" }], text: "cake" });
    expect(taken("has:LINK is:pinned mentions:me x", false).chips).toHaveLength(3);
  });

  it("stay text while they are typed, and become chips when the text is final", () => {
    for (const text of ["from:anna", 'in:"Secret pl', "cake from:"]) expect(taken(text, false)).toEqual({ chips: [], text });
    expect(taken("from:anna", true).chips).toEqual([{ name: "from", value: "anna" }]);
    expect(taken("in:lobby cake", true)).toEqual({ chips: [{ name: "in", value: "lobby" }], text: "cake" });
  });

  it("are words if the server would read them as words", () => {
    for (const text of ["has:cake ", "before:tomorrow ", "after:2026-13 ", "http://example.com ", "refrom:anna ", "from: anna "])
      expect(taken(text, false)).toEqual({ chips: [], text });
  });

  it("are written so that reading them gives the same filter", () => {
    for (const chip of [
      { name: "in", value: "Secret plans" },
      { name: "from", value: "anna-lena" },
      { name: "before", value: "2026-11" },
      { name: "is", value: "pinned" },
    ] as const)
      expect(taken(written(chip), true).chips).toEqual([chip]);
    expect(written({ name: "in", value: 'a "b" c' })).toBe('in:"a b c"');
  });

  it("come before the text, which keeps its last space", () => {
    expect(queryOf([{ name: "from", value: "anna" }], "cake ")).toBe("from:anna cake ");
    expect(queryOf([], " cake")).toBe("cake");
    expect(queryOf([], "")).toBe("");
    expect(queryOf([], "cake from:an")).toBe("cake ");
    expect(queryOf([], 'in:"Secret plans"')).toBe('in:"Secret plans"');
  });

  it("are there once, and one date of each kind", () => {
    const chips = [
      { name: "before", value: "2026" },
      { name: "from", value: "anna" },
    ] as const;
    expect(withChip(chips, { name: "from", value: "ANNA" })).toEqual([chips[0], { name: "from", value: "ANNA" }]);
    expect(withChip(chips, { name: "before", value: "2025" })).toEqual([chips[1], { name: "before", value: "2025" }]);
    expect(withChip(chips, { name: "from", value: "bob" })).toHaveLength(3);
    expect(sameChip(chips[1], { name: "in", value: "anna" })).toBe(false);
  });

  it("are completed at the caret", () => {
    expect(begunAt("cake from:an", 12)).toEqual({ name: "from", value: "an", from: 5, to: 12 });
    expect(begunAt('in:"Secret pl', 13)).toEqual({ name: "in", value: "Secret pl", from: 0, to: 13 });
    expect(begunAt("from:", 5)?.value).toBe("");
    for (const [text, caret] of [
      ["from:anna ", 10],
      ["cake", 4],
      ["from:anna", 3],
      ["xfrom:a", 7],
    ] as const)
      expect(begunAt(text, caret)).toBeNull();
  });

  it("take days, months and years that exist", () => {
    for (const date of ["2026", "2026-11", "2026-11-30", "2024-02-29"]) expect(isDate(date)).toBe(true);
    for (const date of ["", "26", "0000", "2026-13", "2026-02-30", "2025-02-29", "2026-11-30T10"]) expect(isDate(date)).toBe(false);
    expect(isValid({ name: "after", value: "soon" })).toBe(false);
    expect(isValid({ name: "has", value: "link" })).toBe(true);
  });

  it("suggest dates by label or by value, and the typed date itself", () => {
    const now = new Date(2026, 10, 30, 1);
    expect(dates("", now)[0]).toEqual({ value: "2026-11-30", label: "Today" });
    expect(dates("yes", now)).toEqual([{ value: "2026-11-29", label: "Yesterday" }]);
    expect(dates("2026-10", now)[0]).toEqual({ value: "2026-10", label: "2026-10" });
    expect(dates("cake", now)).toEqual([]);
  });
});

describe("found words", () => {
  it("are marked where they stand alone, also without the signs of the formatting", () => {
    const body = "The **cake** is no cakewalk: Cake";
    const words = wordsAt(body, [
      [6, 10],
      [29, 33],
    ]);
    expect(marked("The cake is no cakewalk: Cake", words)).toBe("The [cake] is no cakewalk: [Cake]");
  });

  it("are marked inside of runs in scripts without spaces", () => {
    expect(marked("我们去北京大学", wordsAt("我们去北京大学", [[3, 5]]))).toBe("我们去[北京]大学");
  });

  it("may contain signs of patterns and characters outside the basic plane", () => {
    expect(marked("a (b.c) $d 😀 a.b", wordsAt("a (b.c) $d 😀 a.b", [[3, 6]]))).toBe("a ([b.c]) $d 😀 a.b");
    expect(marked("go 😀 go", wordsAt("go 😀 go", [[3, 5]]))).toBe("go [😀] go");
  });

  it("are none without places, and text is never lost", () => {
    expect(wordsAt("cake", [])).toBeNull();
    expect(wordsAt("cake", [[2, 2]])).toBeNull();
    expect(pieces("", null)).toEqual([]);
    expect(marked("cake", null)).toBe("cake");
  });
});

describe("found messages", () => {
  const state = (): State => welcomed(initial(alice), welcome({}, { rooms: [room(1)] }), []);
  const message = (seq: number, body: string, more = {}) => ({
    room: 1,
    seq,
    n: seq,
    at: AT,
    by: 8,
    name: "bob",
    key: `k${seq}`,
    body,
    deleted: false,
    pinned: false,
    reactions: [],
    ...more,
  });
  const found = [
    foundOf({ message: message(3, "more cake"), highlights: [[5, 9]] }, {}),
    foundOf({ message: message(2, "cake"), highlights: [[0, 4]] }, {}),
  ];
  const event = { topic: "room:1", room: 1, by: 8, name: "bob", at: AT } as const;
  const after = (...events: object[]): State => events.reduce((now: State, one) => reduce(now, { ...event, ...one } as ChatEvent), state());
  const keys = (now: State, chips: Parameters<typeof followed>[2] = []): string[] | undefined => followed(found, now, chips)?.map(keyOf);

  it("stay the same list while nothing happens to them", () => {
    expect(followed(found, state(), [])).toBe(found);
    expect(followed(found, after({ type: "message.deleted", seq: 12, message: 9, author: 8 }), [])).toBe(found);
  });

  it("go when they are deleted", () => {
    expect(keys(after({ type: "message.deleted", seq: 12, message: 3, author: 8 }))).toEqual(["1/2"]);
  });

  it("show an edit, and go if they no longer match", () => {
    const edit = (body: string): State => after({ type: "message.edited", seq: 12, message: 3, body });
    expect(followed(found, edit("cake again"), [])?.[0]?.message.body).toBe("cake again");
    expect(keys(edit("tea"))).toEqual(["1/2"]);
  });

  it("are asked for again if an edit came without its text", () => {
    const now = after({ type: "message.edited", seq: 12, message: 3, body: null });
    expect(followed(found, now, [])).toBeNull();
    const again = [foundOf({ message: message(3, "cake again"), highlights: [[0, 4]] }, now.changes)];
    expect(followed(again, now, [])).toBe(again);
  });

  it("go when the user leaves the room, and with their pin if only pinned ones are wanted", () => {
    expect(keys({ ...state(), rooms: {} })).toEqual([]);
    const pinned = [foundOf({ message: message(3, "cake", { pinned: true }), highlights: [] }, {})];
    const unpinned = after({ type: "message.unpinned", seq: 12, message: 3 });
    expect(followed(pinned, unpinned, [{ name: "is", value: "pinned" }])).toEqual([]);
    expect(followed(pinned, unpinned, [])).toHaveLength(1);
  });

  it("are grouped by day in their order", () => {
    const days = byDay(found, () => "Today");
    expect(days).toEqual([{ day: "Today", found }]);
    let at = 0;
    expect(byDay(found, () => `day ${at++}`)).toHaveLength(2);
  });
});

describe("names", () => {
  const people = ["joanna", "Änne", "anna"].map((name, id) => ({ id, name, key: String(id) }));

  it("are found by any part, the best match first, each once", () => {
    const known = people.filter(({ name }) => contains(name, "ann"));
    expect(ranked("ann", known, [people[2]!, { id: 9, name: "аnnika", key: "9" }], ({ name }) => name, 5).map(({ name }) => name)).toEqual([
      "Änne",
      "anna",
      "joanna",
      "аnnika",
    ]);
  });

  it("complete a mention by any part, with those the server found", () => {
    const found = [{ id: 9, name: "hannah" }];
    expect(names(people, "ann", false, found).map(({ label }) => label)).toEqual(["anna", "Änne", "joanna", "hannah"]);
  });
});

describe("a key", () => {
  it("belongs to the input method while it composes, also the Enter that Safari sends afterwards", () => {
    const key = (more: object): KeyboardEvent => ({ isComposing: false, keyCode: 13, ...more }) as KeyboardEvent;
    expect(composes(key({ isComposing: true }))).toBe(true);
    expect(composes(key({ keyCode: 229 }))).toBe(true);
    expect(composes(key({}))).toBe(false);
  });
});
