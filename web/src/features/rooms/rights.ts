/**
 * What one is offered: the server's rules (`domain/rules.py`) as far as the screens need them. The server decides; what
 * is not allowed is just not offered. Pure.
 */
import type { Member, Room, RoomRole, User } from "../../state/model";

const RANK = { member: 0, moderator: 1, owner: 2 } as const;
const STAFF_RANK = 3;
const OUTSIDE = -1;

export const isStaff = (me: User): boolean => me.role === "owner" || me.role === "admin";

function rank(me: User, room: Room): number {
  if (isStaff(me)) return STAFF_RANK;
  return room.role ? RANK[room.role] : OUTSIDE;
}

/** Nothing is changed in an archived room, and the people of a direct room are the same for ever. */
const openToChange = (room: Room): boolean => room.kind !== "direct" && !room.archived;

export const mayUpdate = (me: User, room: Room): boolean =>
  !room.archived && (room.kind === "direct" ? room.joined : rank(me, room) >= RANK.moderator);

export const mayChangeHistory = (me: User, room: Room): boolean => openToChange(room) && rank(me, room) >= RANK.owner;

export const mayArchive = (me: User, room: Room): boolean =>
  !room.lobby && room.kind !== "direct" && rank(me, room) >= RANK.owner;

export const mayLeave = (room: Room): boolean => !room.lobby && room.kind !== "direct";

/** Whoever owns a room does not leave others behind without an owner. */
export const mustHandOver = (room: Room): boolean => room.role === "owner" && room.members > 1;

/** Everybody has an account; who has one is in the lobby already. */
export const mayBring = (me: User, room: Room): boolean =>
  openToChange(room) && !room.lobby && me.role !== "guest" && rank(me, room) >= RANK.member;

/** See who is banned, make links into the room and take them back. */
export const mayLookAfter = (me: User, room: Room): boolean =>
  !room.lobby && room.kind !== "direct" && rank(me, room) >= RANK.moderator;

export const mayBan = (me: User, room: Room): boolean => mayLookAfter(me, room) && !room.archived;

/** Remove or ban this member. */
export const mayRemove = (me: User, room: Room, member: Member): boolean =>
  member.id !== me.id && !room.lobby && openToChange(room) && rank(me, room) > RANK[member.role];

/** What this member can be made; in the lobby there is no owner but the site's, and an archived room has an owner too. */
export function rolesFor(me: User, room: Room, member: Member): RoomRole[] {
  if (room.kind === "direct" || rank(me, room) < RANK.owner || member.role === "owner") return [];
  if (room.archived) return room.lobby ? [] : ["owner"];
  const others = (["moderator", "member"] as const).filter((role) => role !== member.role);
  return room.lobby ? others : [...others, "owner"];
}
