import { describe, expect, it } from "vitest";
import { nextWaiting, shown, totals } from "../src/features/unread/counts";
import type { Room } from "../src/state/model";
import { alice, room } from "./build";

const state = (...rooms: Room[]) => ({ me: alice, rooms: Object.fromEntries(rooms.map((one) => [one.id, one])) });

describe("unread counts", () => {
  it("include all new messages, in muted rooms only mentions; direct messages need attention", () => {
    const direct = room(4, { kind: "direct", name: "", members: [alice, { id: 8, name: "bob" }], unread_count: 2 });
    const rooms = state(
      room(1, { unread_count: 5 }),
      room(2, { unread_count: 7, muted: true }),
      room(3, { unread_count: 9, mention_count: 1, muted: true }),
      direct,
    );
    expect(totals(rooms)).toEqual({ unread: 8, calls: 3 });
  });

  it.each([
    [1, "1"],
    [99, "99"],
    [100, "99+"],
  ])("are shown up to the limit: %i", (count, words) => expect(shown(count)).toBe(words));

  it("lead to the next unread room in list order, wrapping around and skipping the current one", () => {
    const rooms = state(
      room(1),
      room(2, { unread_count: 1 }),
      room(3, { unread_count: 3, muted: true }),
      room(4, { unread_count: 1 }),
      room(5, { unread_count: 2, favourite: true }),
    );
    const ids = (current: number | null, by: 1 | -1) => nextWaiting(rooms, current, by)?.id;
    expect([ids(1, 1), ids(2, 1), ids(4, 1), ids(5, 1)]).toEqual([2, 4, 5, 2]);
    expect([ids(1, -1), ids(5, -1), ids(null, 1), ids(null, -1)]).toEqual([5, 4, 5, 4]);
    expect(nextWaiting(state(room(1, { unread_count: 1 })), 1, 1)).toBeNull();
  });
});
