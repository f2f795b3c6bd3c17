/**
 * What the user may do, by the server's rules. The server decides; actions that it would refuse are
 * not offered. Pure.
 */
import { IN_ROOM, KINDS, ON_SITE, ROOM_ROLES, SITE_ROLES } from "../../permissions";
import type { Room, User } from "../../state/model";

const TABLE = { ...ON_SITE, ...IN_ROOM };

export type SiteAction = keyof typeof ON_SITE;
export type RoomAction = keyof typeof IN_ROOM;

export function may(action: SiteAction, me: Pick<User, "role">): boolean;
export function may(action: RoomAction, me: Pick<User, "role">, room: Room): boolean;
export function may(action: SiteAction | RoomAction, me: Pick<User, "role">, room?: Room): boolean {
  const digit = (room ? groupOf(room) * (SITE_ROLES.length + 1) : 0) + SITE_ROLES.indexOf(me.role);
  const roles = Number.parseInt(TABLE[action][digit] ?? "0", 16);
  const own = room?.joined ? ROOM_ROLES.indexOf(room.role ?? "member") : ROOM_ROLES.length;
  return ((roles >> (ROOM_ROLES.length - own)) & 1) === 1;
}

function groupOf(room: Room): number {
  if (room.lobby) return 2 * KINDS.length;
  return KINDS.indexOf(room.kind) + (room.archived ? KINDS.length : 0);
}
