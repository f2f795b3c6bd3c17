/** Invite links to the site or to a room: create, list, revoke, check and accept them. */
import type { Chat } from "../../chat.svelte";
import type { Checked, Invites, RoomPosition } from "../../contract";
import { get, post, remove } from "../../net/http";
import { AttemptKeys } from "../../net/keys";
import type { Invite } from "../../state/model";
import { enter } from "../rooms/rooms";

/** Creates invites. If the answer was lost, the same wish again yields the same invite. */
export class InviteCreator {
  #keys = new AttemptKeys();

  async make(maxUses: number | null, expiresIn: number | null, room: number | null): Promise<Invite> {
    const wanted = { max_uses: maxUses, expires_in: expiresIn, ...(room !== null && { room }) };
    const made = await post<Invite>("api/invites", { ...wanted, key: this.#keys.of(wanted) });
    this.#keys.done();
    return made;
  }
}

/** A page of usable invites, the newest first. `before` is the last invite of the previous page. */
export const loadInvites = (room: number | null, before?: Invite): Promise<Invites> => {
  const position = before && { before: `${before.created_at},${before.id}` };
  const query = new URLSearchParams({ limit: "50", ...(room !== null && { room: String(room) }), ...position });
  return get<Invites>(`api/invites?${query}`);
};

export const revokeInvite = (id: string): Promise<void> => remove(`api/invites/${encodeURIComponent(id)}`);

export const checkInvite = (token: string): Promise<Checked> => post<Checked>("api/invites/check", { token });

/** Accept an invite. Return the id of the joined room. */
export async function acceptInvite(chat: Chat, token: string): Promise<number> {
  const { room } = await post<RoomPosition>("api/invites/accept", { token });
  enter(chat, room);
  return room.id;
}

/**
 * True for a link that leads to the computer on which it is opened (RFC 6761, section 6.3; RFC
 * 1122, section 3.2.1.3).
 */
export function onlyHere(link: string): boolean {
  const { hostname } = new URL(link, "http://localhost");
  return hostname === "localhost" || hostname.endsWith(".localhost") || hostname.startsWith("127.") || hostname === "[::1]";
}
