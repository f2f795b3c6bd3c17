/** What events about membership change. Pure. */
import type { MemberJoined, MemberLeft, MemberRemoved } from "./events";
import { roomChanged, roomGone } from "./rooms";
import type { State } from "./state";

export function memberJoined(state: State, event: MemberJoined): State {
  const members = state.members[event.room];
  const shown = counted(state, event, +1);
  if (!members || members.some((member) => member.id === event.user)) return shown;
  const joined = { id: event.user, name: event.name, role: "member", joined_at: event.at } as const;
  return { ...shown, members: { ...state.members, [event.room]: [...members, joined] } };
}

export function memberGone(state: State, event: MemberLeft | MemberRemoved): State {
  if (event.user === state.me.id) return selfGone(state, event);
  const members = state.members[event.room];
  const shown = counted(state, event, -1);
  if (!members) return shown;
  const rest = members.filter((member) => member.id !== event.user);
  return { ...shown, members: { ...state.members, [event.room]: rest } };
}

/** `room.gone` in one's own topic says the same; whichever comes first counts. */
function selfGone(state: State, event: MemberLeft | MemberRemoved): State {
  const name = state.rooms[event.room]?.name;
  const told = event.type === "member.removed" && name !== undefined ? { ...state, removedFrom: name } : state;
  return roomGone(told, event);
}

function counted(state: State, event: MemberJoined | MemberLeft | MemberRemoved, by: number): State {
  return roomChanged(state, event.room, (room) =>
    event.seq <= (room.head ?? 0) ? room : { ...room, head: event.seq, members: room.members + by },
  );
}
