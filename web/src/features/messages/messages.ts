/** What one can do with messages: write, send again, throw away. */
import type { Chat } from "../../chat.svelte";
import { randomKey } from "../../net/keys";
import type { Limits } from "../../state/model";
import type { Item, MessageItem } from "../../state/timeline";

/** Put a message on its way; `answered` is the seq of the one it answers. */
export function send(chat: Chat, room: number, text: string, answered?: number): void {
  chat.input({ type: "send", key: randomKey(), room, body: clean(text), ...(answered ? { reply_to: answered } : {}) });
}

/** Without what has no place in any text: U+0000, and halves of characters, which have no UTF-8 form. */
export function clean(text: string): string {
  return text.replaceAll("\u0000", "").replace(/\p{Surrogate}/gu, "\ufffd");
}

/** The newest message of one's own that can be changed, as far as the room's present is loaded. */
export function lastOwn(chat: Chat, room: number): MessageItem | null {
  const timeline = chat.state.timelines[room];
  const own = (item: Item): item is MessageItem => item.kind === "message" && item.by === chat.state.me.id && item.body !== null && !item.forwarded;
  return timeline && !timeline.newer ? (timeline.items.findLast(own) ?? null) : null;
}

export const retry = (chat: Chat, key: string): void => chat.input({ type: "retry", key });
export const discard = (chat: Chat, key: string): void => chat.input({ type: "discard", key });

/** What keeps this text from being sent, as a sentence; null if nothing does. */
export function obstacle(text: string, limits: Limits): string | null {
  const over = [...text].length - limits.characters;
  if (over > 0) return `${over.toLocaleString()} characters too long: a message has at most ${limits.characters.toLocaleString()}.`;
  const bytes = new TextEncoder().encode(text).length - limits.body;
  return bytes > 0 ? `Too long by ${bytes.toLocaleString()} bytes: split it into two messages.` : null;
}
