/** Titles and order of rooms. Pure. */
import { MAX_ROOM_NAME } from "../../limits";
import type { Room } from "../../state/model";
import type { State } from "../../state/state";

export const NOTES = "Notes to yourself";

/**
 * Return a room's title. Direct rooms are named after their other members; the room of the user
 * alone is called notes.
 */
export function titleOf(room: Room, me: number): string {
  if (room.kind !== "direct") return room.name;
  const others = othersIn(room, me);
  return others.length > 0 ? others.map(({ name }) => name).join(", ") : NOTES;
}

export function othersIn(room: Room, me: number): { id: number; name: string }[] {
  return (room.members ?? []).filter(({ id }) => id !== me);
}

const BY_NAME = new Intl.Collator(undefined, { sensitivity: "base", numeric: true });

export function byTitle(me: number): (a: Room, b: Room) => number {
  return (a, b) => Number(b.lobby) - Number(a.lobby) || BY_NAME.compare(titleOf(a, me), titleOf(b, me)) || a.id - b.id;
}

export interface Grouped {
  readonly favourites: readonly Room[];
  readonly rooms: readonly Room[];
  readonly direct: readonly Room[];
  readonly archived: readonly Room[];
}

const NONE: ReadonlySet<number> = new Set();

/**
 * Group the user's rooms for the list: each in one group, the lobby first, after the `raised`
 * rooms. A raised room is never in the folded archived group.
 */
export function grouped(state: Pick<State, "rooms" | "me">, raised = NONE): Grouped {
  const found: Record<keyof Grouped, Room[]> = { favourites: [], rooms: [], direct: [], archived: [] };
  const byName = byTitle(state.me.id);
  for (const room of Object.values(state.rooms)) found[placeIn(room, raised)].push(room);
  for (const rooms of Object.values(found)) rooms.sort((a, b) => Number(raised.has(b.id)) - Number(raised.has(a.id)) || byName(a, b));
  return found;
}

function placeIn(room: Room, raised: ReadonlySet<number>): keyof Grouped {
  if (room.archived && !raised.has(room.id)) return "archived";
  if (room.favourite) return "favourites";
  return room.kind === "direct" ? "direct" : "rooms";
}

export const counted = (count: number, one: string, many: string): string => `${count.toLocaleString()} ${count === 1 ? one : many}`;

/** Return what is wrong with a room name, as far as the client can tell; "" if nothing. */
export function nameTrouble(name: string, kind: Room["kind"], known: readonly Room[], except?: number): string {
  const wanted = name.normalize("NFKC").trim();
  if (!wanted) return "";
  const characters = [...wanted].length;
  if (characters > MAX_ROOM_NAME) return `${counted(characters - MAX_ROOM_NAME, "character", "characters")} too long.`;
  if (/[\p{Cc}\p{Zl}\p{Zp}]/u.test(wanted)) return "Room names can only contain printable characters.";
  const taken = (room: Room): boolean => room.kind === "public" && room.id !== except && room.name.toLowerCase() === wanted.toLowerCase();
  return kind === "public" && known.some(taken) ? "A room with this name already exists." : "";
}
