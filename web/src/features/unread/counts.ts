/** Unread counts as they are shown, and the next unread room. Pure. */
import type { Room } from "../../state/model";
import type { State } from "../../state/state";
import { grouped } from "../rooms/names";

const MOST = 99;

/** The count of a room. In a muted room only mentions count. */
export const waiting = (room: Room): number => (room.muted ? (room.mention_count ?? 0) : (room.unread_count ?? 0));

/** Messages that need the user's attention: mentions, and all direct messages. */
export const calling = (room: Room): number => (room.kind === "direct" ? waiting(room) : (room.mention_count ?? 0));

export const shown = (count: number): string => (count > MOST ? `${MOST}+` : String(count));

export interface Waiting {
  readonly unread: number;
  readonly calls: number;
}

export function totals(state: Pick<State, "rooms">): Waiting {
  const rooms = Object.values(state.rooms);
  return {
    unread: rooms.reduce((sum, room) => sum + waiting(room), 0),
    calls: rooms.reduce((sum, room) => sum + calling(room), 0),
  };
}

/** Return the next unread room in list order, wrapping around; null if there is no other. */
export function nextWaiting(
  state: Pick<State, "rooms" | "me">,
  current: number | null,
  by: 1 | -1,
  raised?: ReadonlySet<number>,
): Room | null {
  const { favourites, rooms, direct, archived } = grouped(state, raised);
  const all = [...favourites, ...rooms, ...direct, ...archived];
  const at = all.findIndex(({ id }) => id === current);
  const from = at < 0 ? (by > 0 ? all : all.toReversed()) : around(all, at, by);
  return from.find((room) => waiting(room) > 0) ?? null;
}

/** Return all rooms but the one at `at`, starting next to it. */
function around(all: readonly Room[], at: number, by: 1 | -1): Room[] {
  const after = [...all.slice(at + 1), ...all.slice(0, at)];
  return by > 0 ? after : after.reverse();
}
