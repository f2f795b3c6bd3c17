import { describe, expect, it } from "vitest";
import { nextWaiting, shown, totals } from "../src/features/unread/counts";
import type { Room } from "../src/state/model";
import { alice, room } from "./build";

const state = (...rooms: Room[]) => ({ me: alice, rooms: Object.fromEntries(rooms.map((one) => [one.id, one])) });

describe("what waits", () => {
  it("is all that is new, but of muted rooms only what calls one; and what is said to one directly calls", () => {
    const direct = room(4, { kind: "direct", name: "", people: [alice, { id: 8, name: "bob" }], unread: 2 });
    const rooms = state(room(1, { unread: 5 }), room(2, { unread: 7, muted: true }), room(3, { unread: 9, mentions: 1, muted: true }), direct);
    expect(totals(rooms)).toEqual({ unread: 8, calls: 3 });
  });

  it.each([[1, "1"], [99, "99"], [100, "99+"]])("is shown as far as anybody counts: %i", (count, words) => expect(shown(count)).toBe(words));

  it("is found in the order of the list, round it, and not where one is", () => {
    const rooms = state(room(1), room(2, { unread: 1 }), room(3, { unread: 3, muted: true }), room(4, { unread: 1 }), room(5, { unread: 2, favourite: true }));
    const ids = (current: number | null, by: 1 | -1) => nextWaiting(rooms, current, by)?.id;
    expect([ids(1, 1), ids(2, 1), ids(4, 1), ids(5, 1)]).toEqual([2, 4, 5, 2]);
    expect([ids(1, -1), ids(5, -1), ids(null, 1), ids(null, -1)]).toEqual([5, 4, 5, 4]);
    expect(nextWaiting(state(room(1, { unread: 1 })), 1, 1)).toBeNull();
  });
});
