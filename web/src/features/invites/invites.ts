/** What one can do with invites: make one, look at those there are, take one back. */
import { get, post, remove } from "../../net/http";
import type { Invite, User } from "../../state/model";

export const mayInvite = (me: User): boolean => me.role === "owner" || me.role === "admin";

export const createInvite = (maxUses: number | null, expiresIn: number | null): Promise<Invite> =>
  post<Invite>("api/invites", { max_uses: maxUses, expires_in: expiresIn });

export async function loadInvites(): Promise<Invite[]> {
  return (await get<{ invites: Invite[] }>("api/invites")).invites;
}

export const revokeInvite = (id: string): Promise<void> => remove(`api/invites/${encodeURIComponent(id)}`);

export async function isValid(token: string): Promise<boolean> {
  return (await post<{ valid: boolean }>("api/invites/check", { token })).valid;
}
