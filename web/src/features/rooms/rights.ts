/** Which room actions the client offers, of those that the user may do. Pure. */
import type { Member, Room, RoomRole, User } from "../../state/model";
import { may } from "../permissions/permissions";

/** Every user is in the lobby already, so no one can be added to it. */
export const offersAdding = (me: User, room: Room): boolean => !room.lobby && may("add", me, room);

/** No one joins the lobby by a link or can be banned from it. */
export const offersModeration = (me: User, room: Room): boolean => !room.lobby && may("moderate", me, room);

/** An owner cannot leave other members without an owner. */
export const mustHandOver = (me: User, room: Room): boolean => room.member_count > 1 && !may("leave others", me, room);

export const mayRemove = (me: User, room: Room, member: Member): boolean =>
  may(member.id === me.id ? "remove self" : `remove ${member.role}`, me, room);

const ROLES = ["moderator", "member", "owner"] as const;

/** The roles this member can be given. */
export const rolesFor = (me: User, room: Room, { role: now }: Member): RoomRole[] =>
  ROLES.filter((role) => role !== now && may(`make ${now} ${role}` as RoleChange, me, room));

type RoleChange = { [Now in RoomRole]: `make ${Now} ${Exclude<RoomRole, Now>}` }[RoomRole];
