/** Sending messages: send, retry, discard, and what keeps a text from being sent. */
import type { Chat } from "../../chat.svelte";
import { randomKey } from "../../net/keys";
import type { Item, MessageItem } from "../../state/timeline";
import { LOUD_MEMBERS } from "../../limits";
import type { MessageLimits, Room, User } from "../../state/model";
import { mayMentionAll } from "./completion";

/** Send a message; `answered` is the seq of the message it replies to. */
export function send(chat: Chat, room: number, text: string, answered?: number): void {
  chat.input({ type: "send", key: randomKey(), room, body: clean(text), ...(answered ? { reply_to: answered } : {}) });
}

/** Remove U+0000, and replace unpaired surrogates, which have no UTF-8 form. */
export function clean(text: string): string {
  return text.replaceAll("\u0000", "").replace(/\p{Surrogate}/gu, "\ufffd");
}

/** Return the user's newest message that can be edited, if the newest messages are loaded. */
export function lastOwn(chat: Chat, room: number): MessageItem | null {
  const timeline = chat.state.timelines[room];
  const own = (item: Item): item is MessageItem =>
    item.kind === "message" && item.by === chat.state.me.id && item.body !== null && !item.forwarded;
  return timeline && !timeline.newer ? (timeline.items.findLast(own) ?? null) : null;
}

export const retry = (chat: Chat, key: string): void => chat.input({ type: "retry", key });
export const discard = (chat: Chat, key: string): void => chat.input({ type: "discard", key });

/** Whether this text may notify many people. Only the question that follows tells code from mentions. */
export const mayCallMany = (me: Pick<User, "role">, room: Room, text: string): boolean =>
  room.member_count >= LOUD_MEMBERS && /@(?:room|here)/i.test(text) && mayMentionAll(me, room);

/** Return why this text cannot be sent, as a sentence, or null. */
export function obstacle(text: string, limits: MessageLimits): string | null {
  const over = [...text].length - limits.characters;
  if (over > 0)
    return `Too long by ${over.toLocaleString()} ${over === 1 ? "character" : "characters"}. Messages can have up to ${limits.characters.toLocaleString()}.`;
  const bytes = new TextEncoder().encode(text).length - limits.body;
  return bytes > 0 ? `Too long by ${bytes.toLocaleString()} bytes. Split it into two messages.` : null;
}
