/** Offered actions, and names, search and order of rooms. */
import { describe, expect, it } from "vitest";
import type { Member, Role, Room, RoomRole } from "../src/contract";
import { best } from "../src/features/rooms/fuzzy";
import { grouped, nameTrouble, NOTES, titleOf } from "../src/features/rooms/names";
import { may } from "../src/features/permissions/permissions";
import { mayRemove, mustHandOver, offersAdding, offersModeration, rolesFor } from "../src/features/rooms/rights";
import type { User } from "../src/state/model";
import { alice, AT, room } from "./build";

const as = (role: Role) => ({ ...alice, role });
const member = (role: RoomRole, id = 8): Member => ({ id, name: "bob", role, joined_at: AT });
const place = (role: RoomRole, more: Partial<Room> = {}): Room => room(2, { role, ...more });
const direct = (...people: { id: number; name: string }[]): Room =>
  room(9, { kind: "direct", name: "", members: [{ id: 7, name: "alice" }, ...people] });

const ROLES = ["owner", "moderator", "member"] as const;
const OF_A_ROOM = {
  mayUpdate: (me: User, where: Room) => may("update", me, where),
  mayChangeHistory: (me: User, where: Room) => may("update history", me, where),
  mayArchive: (me: User, where: Room) => may("archive", me, where),
  mayAdd: offersAdding,
  mayModerate: offersModeration,
  mayBan: (me: User, where: Room) => may("unban", me, where),
};

describe("offered actions", () => {
  it.each([
    ["owner", {}, "mayUpdate mayChangeHistory mayArchive mayAdd mayModerate mayBan"],
    ["moderator", {}, "mayUpdate mayAdd mayModerate mayBan"],
    ["member", {}, "mayAdd"],
    ["owner", { archived: true }, "mayArchive mayModerate"],
    ["member", { archived: true }, ""],
    ["member", { kind: "direct" }, "mayUpdate"],
    ["moderator", { lobby: true }, "mayUpdate"],
  ] as const)("to a room's %s where it is %o", (role, more, wanted) => {
    const found = Object.entries(OF_A_ROOM).filter(([, may]) => may(alice, place(role, more)));
    expect(found.map(([name]) => name).join(" ")).toBe(wanted);
  });

  it("are the same for staff as for an owner, and fewer for guests", () => {
    expect(Object.values(OF_A_ROOM).every((may) => may(as("admin"), place("member")))).toBe(true);
    expect(offersAdding(as("guest"), place("member"))).toBe(false);
  });

  it("include removing members of a lower rank, and no one from the lobby", () => {
    const removable = (me: RoomRole, more = {}) => ROLES.filter((role) => mayRemove(alice, place(me, more), member(role)));
    expect(removable("owner")).toEqual(["moderator", "member"]);
    expect(mayRemove(as("admin"), place("member"), member("owner"))).toBe(true);
    expect(removable("moderator")).toEqual(["member"]);
    expect(removable("member")).toEqual([]);
    expect(removable("owner", { lobby: true })).toEqual([]);
    expect(removable("owner", { archived: true })).toEqual([]);
    expect(mayRemove(alice, place("owner"), member("owner", alice.id))).toBe(false);
  });

  it("include changing roles for owners", () => {
    expect(rolesFor(alice, place("owner"), member("member"))).toEqual(["moderator", "owner"]);
    expect(rolesFor(alice, place("owner"), member("owner"))).toEqual([]);
    expect(rolesFor(alice, place("moderator"), member("member"))).toEqual([]);
    expect(rolesFor(as("owner"), place("member", { lobby: true }), member("member"))).toEqual(["moderator"]);
    expect(rolesFor(alice, place("owner", { archived: true }), member("member"))).toEqual(["owner"]);
  });

  it("include leaving, for an owner with other members only after a transfer", () => {
    expect(
      [place("member"), place("member", { lobby: true }), place("member", { kind: "direct" })].map((where) => may("leave", alice, where)),
    ).toEqual([true, false, false]);
    expect([place("owner"), place("owner", { member_count: 1 }), place("moderator")].map((where) => mustHandOver(alice, where))).toEqual([
      true,
      false,
      false,
    ]);
  });
});

describe("room names", () => {
  it("of direct rooms are the names of the other members", () => {
    expect(titleOf(direct({ id: 8, name: "bob" }, { id: 9, name: "carol" }), 7)).toBe("bob, carol");
    expect(titleOf(direct(), 7)).toBe(NOTES);
  });

  it("are listed in one group per room", () => {
    const rooms = [
      room(1, { name: "Lobby" }),
      room(2, { name: "Zoo" }),
      room(3, { name: "attic" }),
      room(4, { favourite: true }),
      room(5, { archived: true, favourite: true }),
      direct(),
    ];
    const {
      favourites,
      rooms: plain,
      direct: between,
      archived,
    } = grouped({ me: alice, rooms: Object.fromEntries(rooms.map((one) => [one.id, one])) });
    expect([favourites, plain, between, archived].map((some) => some.map(({ id }) => id))).toEqual([[4], [1, 3, 2], [9], [5]]);
  });

  it("are checked while the user types", () => {
    const known = [room(2, { name: "Garden" }), room(3, { name: "Den", kind: "private" })];
    expect(nameTrouble(" gARDEN ", "public", known)).toBe("A room with this name already exists.");
    expect(nameTrouble("Garden", "private", known)).toBe("");
    expect(nameTrouble("Garden", "public", known, 2)).toBe("");
    expect(nameTrouble("Den", "public", known)).toBe("");
    expect(nameTrouble("x".repeat(64), "public", known)).toBe("");
    expect(nameTrouble("x".repeat(65), "public", known)).toBe("1 character too long.");
    expect(nameTrouble("a\tb", "public", known)).toBe("Room names can only contain printable characters.");
  });

  it("are found by a few letters, the best match first", () => {
    const names = ["Annual report", "Garden", "Dan", "Old garage", "Événements", "general"];
    const found = (query: string): string[] => best(query, names, (name) => name, 3);
    expect(found("ga")).toEqual(["Garden", "Old garage", "general"]);
    expect(found("ar")[0]).toBe("Annual report");
    expect(found("eve")).toEqual(["Événements"]);
    expect(found("gnl")).toEqual(["general"]);
    expect(found("xyz")).toEqual([]);
    expect(found("")).toHaveLength(3);
  });
});
