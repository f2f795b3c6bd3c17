/**
 * Which room actions the client offers: the server's rules (`domain/rules.py`) as far as the
 * screens need them. The server decides; actions that it would refuse are not offered. Pure.
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

/** Archived rooms are read-only, and the members of a direct room never change. */
const openToChange = (room: Room): boolean => room.kind !== "direct" && !room.archived;

export const mayUpdate = (me: User, room: Room): boolean =>
  !room.archived && (room.kind === "direct" ? room.joined : rank(me, room) >= RANK.moderator);

export const mayChangeHistory = (me: User, room: Room): boolean => openToChange(room) && rank(me, room) >= RANK.owner;

export const mayArchive = (me: User, room: Room): boolean =>
  !room.lobby && room.kind !== "direct" && rank(me, room) >= RANK.owner;

export const mayLeave = (room: Room): boolean => !room.lobby && room.kind !== "direct";

/** An owner cannot leave other members without an owner. */
export const mustHandOver = (room: Room): boolean => room.role === "owner" && room.member_count > 1;

/** Every user is in the lobby already, so no one can be added to it. */
export const mayAdd = (me: User, room: Room): boolean =>
  openToChange(room) && !room.lobby && me.role !== "guest" && rank(me, room) >= RANK.member;

/** See bans, create and revoke invite links. */
export const mayModerate = (me: User, room: Room): boolean =>
  !room.lobby && room.kind !== "direct" && rank(me, room) >= RANK.moderator;

export const mayBan = (me: User, room: Room): boolean => mayModerate(me, room) && !room.archived;

/** Remove or ban this member. */
export const mayRemove = (me: User, room: Room, member: Member): boolean =>
  member.id !== me.id && !room.lobby && openToChange(room) && rank(me, room) > RANK[member.role];

/**
 * The roles this member can be given. The lobby has no owner but the site's; archived rooms have an
 * owner too.
 */
export function rolesFor(me: User, room: Room, member: Member): RoomRole[] {
  if (room.kind === "direct" || rank(me, room) < RANK.owner || member.role === "owner") return [];
  if (room.archived) return room.lobby ? [] : ["owner"];
  const others = (["moderator", "member"] as const).filter((role) => role !== member.role);
  return room.lobby ? others : [...others, "owner"];
}
