/** What one can do with the people of a room: see who is there now, remove somebody. */
import type { Online } from "../../contract";
import { get, remove } from "../../net/http";
import type { Member, Room, User } from "../../state/model";

export async function loadOnline(room: number): Promise<Set<number>> {
  const { users } = await get<Online>(`api/rooms/${room}/online`);
  return new Set(users.map((user) => user.id));
}

export async function removeMember(room: number, user: number): Promise<void> {
  await remove(`api/rooms/${room}/members/${user}`);
}

/** Who may be offered the button; the server decides. Nobody is removed from the lobby or by himself. */
export function mayRemove(me: User, room: Room, member: Member): boolean {
  if (room.lobby || member.id === me.id) return false;
  return me.role === "owner" || me.role === "admin" || room.role === "owner";
}
