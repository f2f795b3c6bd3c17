/** Session actions: list the user's sessions, end one. */
import type { Chat } from "../../chat.svelte";
import type { Sessions } from "../../contract";
import { get, remove } from "../../net/http";

export async function loadSessions(chat: Chat): Promise<void> {
  const { sessions } = await get<Sessions>("api/sessions");
  chat.update((state) => ({ ...state, sessions }));
}

export async function endSession(chat: Chat, id: string): Promise<void> {
  await remove(`api/sessions/${encodeURIComponent(id)}`);
  chat.update((state) => ({ ...state, sessions: state.sessions?.filter((one) => one.id !== id) ?? null }));
}
