/** Room actions: list, join, leave, load. */
import { untrack } from "svelte";
import type { Chat } from "../../chat.svelte";
import type { MembersPage, RoomDetail, RoomPosition, RoomsPage } from "../../contract";
import { MAX_PAGE } from "../../limits";
import { get, post } from "../../net/http";
import { isOutdated, roomLoaded } from "../../state/load";
import type { Room } from "../../state/model";
import type { State } from "../../state/state";
import { byTitle } from "./names";

/** Return the user's rooms: the lobby first, then by name. */
export function joinedRooms(state: State): Room[] {
  return Object.values(state.rooms).sort(byTitle(state.me.id));
}

/**
 * Load all visible rooms into `state.directory`; the first time page by page, so that the list
 * fills early.
 */
export async function loadDirectory(chat: Chat): Promise<void> {
  const found: Room[] = [];
  // Untracked: an effect that calls this must not run again with each change.
  const fresh = untrack(() => chat.state.directory === null);
  for (let more = true; more;) {
    const last = found.at(-1);
    const page = await get<RoomsPage>(`api/rooms?limit=100${last ? `&after=${last.id}` : ""}`);
    found.push(...page.rooms);
    more = page.more && page.rooms.length > 0;
    if (more && fresh) chat.update((state) => ({ ...state, directory: joined(state.directory ?? [], page.rooms) }));
  }
  chat.update((state) => ({ ...state, directory: found }));
}

/** Rooms known from events meanwhile are newer than the page. */
function joined(known: readonly Room[], page: readonly Room[]): Room[] {
  const there = new Set(known.map(({ id }) => id));
  return [...known, ...page.filter(({ id }) => !there.has(id))];
}

export async function joinRoom(chat: Chat, id: number): Promise<void> {
  const { room } = await post<RoomPosition>(`api/rooms/${id}/join`);
  enter(chat, room);
}

export async function leaveRoom(id: number): Promise<void> {
  await post(`api/rooms/${id}/leave`);
}

/**
 * Show a joined room at once; `room.added` follows. The answer to a retry may hold a room that the
 * user has left by then.
 */
export function enter(chat: Chat, room: Room): void {
  chat.update((state) => (state.rooms[room.id] || !room.joined ? state : { ...state, rooms: { ...state.rooms, [room.id]: room } }));
}

/** Load a room and its members, again if an event overtook the answer. */
export async function loadRoom(chat: Chat, id: number): Promise<void> {
  for (let tries = 0; tries < 3; tries += 1) {
    const answer = await get<RoomDetail>(`api/rooms/${id}`);
    const members = [...answer.members];
    for (let more = answer.more_members; more;) {
      const after = members.at(-1)?.id ?? 0;
      const page = await get<MembersPage>(`api/rooms/${id}/members?after=${after}&limit=${MAX_PAGE}`);
      members.push(...page.members);
      more = page.more && page.members.length > 0;
    }
    if (isOutdated(chat.state, answer.room)) continue;
    return chat.update((state) => roomLoaded(state, answer.room, members));
  }
}
