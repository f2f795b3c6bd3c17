/** What one can do with invites: make one, look at those there are, take one back. */
import type { Checked, Invites } from "../../contract";
import { get, post, remove } from "../../net/http";
import type { Invite, User } from "../../state/model";

export const mayInvite = (me: User): boolean => me.role === "owner" || me.role === "admin";

export const createInvite = (maxUses: number | null, expiresIn: number | null): Promise<Invite> =>
  post<Invite>("api/invites", { max_uses: maxUses, expires_in: expiresIn });

export async function loadInvites(): Promise<Invite[]> {
  return (await get<Invites>("api/invites")).invites;
}

export const revokeInvite = (id: string): Promise<void> => remove(`api/invites/${encodeURIComponent(id)}`);

export async function isValid(token: string): Promise<boolean> {
  return (await post<Checked>("api/invites/check", { token })).valid;
}

/** True for a link that means another computer wherever it is opened (RFC 6761, section 6.3; RFC 1122, section 3.2.1.3). */
export function onlyHere(link: string): boolean {
  const { hostname } = new URL(link, "http://localhost");
  return hostname === "localhost" || hostname.endsWith(".localhost") || hostname.startsWith("127.") || hostname === "[::1]";
}
