/** Actions on the members of a room: list who is online, add, remove, ban, change roles. */
import type { Chat } from "../../chat.svelte";
import type { BansPage, Online } from "../../contract";
import { MAX_PAGE } from "../../limits";
import { get, put, remove } from "../../net/http";
import type { Ban, Member, RoomRole } from "../../state/model";

/** Return the ids of all members who are online. */
export async function loadOnline(room: number): Promise<Set<number>> {
  const found = new Set<number>();
  for (let last: number | undefined = 0; last !== undefined;) {
    const { users, more }: Online = await get<Online>(`api/rooms/${room}/online-members?after=${last}&limit=${MAX_PAGE}`);
    for (const { id } of users) found.add(id);
    last = more ? users.at(-1)?.id : undefined;
  }
  return found;
}

export const addMember = (room: number, user: number): Promise<unknown> => put(`api/rooms/${room}/members/${user}`);
export const removeMember = (room: number, user: number): Promise<unknown> => remove(`api/rooms/${room}/members/${user}`);
export const banMember = (room: number, user: number, reason: string): Promise<unknown> =>
  put(`api/rooms/${room}/bans/${user}`, { reason });
export const unbanMember = (room: number, user: number): Promise<unknown> => remove(`api/rooms/${room}/bans/${user}`);
export const setRole = (room: number, user: number, role: RoomRole): Promise<unknown> =>
  put(`api/rooms/${room}/members/${user}/role`, { role });

/** Load all bans of the room into `state.bans`. */
export async function loadBans(chat: Chat, room: number): Promise<void> {
  const bans: Ban[] = [];
  for (let more = true; more;) {
    const page = await get<BansPage>(`api/rooms/${room}/bans?after=${bans.at(-1)?.user ?? 0}&limit=${MAX_PAGE}`);
    bans.push(...page.bans);
    more = page.more && page.bans.length > 0;
  }
  chat.update((state) => ({ ...state, bans: { ...state.bans, [room]: bans } }));
}

export const ROLE_NAMES = { owner: "Owner", moderator: "Moderator", member: "" } as const;

const RANK = { owner: 0, moderator: 1, member: 2 } as const;
const BY_NAME = new Intl.Collator(undefined, { sensitivity: "base", numeric: true });

/** Sort owner and moderators first. */
export const byRole = (a: Member, b: Member): number => RANK[a.role] - RANK[b.role] || BY_NAME.compare(a.name, b.name) || a.id - b.id;
