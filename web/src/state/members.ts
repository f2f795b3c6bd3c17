/** The effects of membership events on the state. Pure. */
import type { MemberBanned, MemberJoined, MemberLeft, MemberRemoved, MemberRoleChanged, MemberUnbanned } from "./events";
import type { Member } from "./model";
import { roomChanged, roomGone } from "./rooms";
import { without, type State } from "./state";

export function memberJoined(state: State, event: MemberJoined): State {
  const joined = { id: event.user, name: event.user_name, role: "member", joined_at: event.at } as const;
  return listed(counted(state, event, +1), event.room, (members) =>
    members.some((member) => member.id === event.user) ? members : [...members, joined],
  );
}

/**
 * A membership has ended. If it was the user's own: `room.removed` in the user's own topic says the
 * same, with the reason; the first of the two counts.
 */
export function memberGone(state: State, event: MemberLeft | MemberRemoved | MemberBanned, why: "left" | "removed" | "banned"): State {
  if (event.user === state.me.id) return roomGone(state, { room: event.room, why });
  return listed(counted(state, event, -1), event.room, (members) => members.filter((member) => member.id !== event.user));
}

/** The event does not carry the reason: the list of bans is loaded again when it is shown. */
export function memberBanned(state: State, event: MemberBanned): State {
  const known = { ...state, bans: without(state.bans, event.room) };
  return event.was_member ? memberGone(known, event, "banned") : known;
}

export function memberUnbanned(state: State, event: MemberUnbanned): State {
  const bans = state.bans[event.room];
  return bans ? { ...state, bans: { ...state.bans, [event.room]: bans.filter((ban) => ban.user !== event.user) } } : state;
}

export function memberRoleChanged(state: State, event: MemberRoleChanged): State {
  const { room, user, role } = event;
  const own =
    user === state.me.id ? roomChanged(state, room, (known) => (event.seq <= (known.head ?? 0) ? known : { ...known, role })) : state;
  return listed(own, room, (members) => members.map((member) => (member.id === user ? { ...member, role } : member)));
}

function listed(state: State, room: number, change: (members: readonly Member[]) => readonly Member[]): State {
  const members = state.members[room];
  return members ? { ...state, members: { ...state.members, [room]: change(members) } } : state;
}

function counted(state: State, event: MemberJoined | MemberLeft | MemberRemoved | MemberBanned, by: number): State {
  return roomChanged(state, event.room, (room) =>
    event.seq <= (room.head ?? 0) ? room : { ...room, head: event.seq, member_count: room.member_count + by },
  );
}
