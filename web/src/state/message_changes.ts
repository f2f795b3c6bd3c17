/** What an event changes in the message it is about. Pure. */
import { REACTION_USERS_SHOWN } from "../limits";
import type { MessageEdited, ReactionAdded, ReactionRemoved } from "./events";
import type { MessageItem } from "./timeline";

/**
 * Apply an edit. A text may be newer than the edit. Without one the message has to be loaded, unless
 * it is known to be deleted.
 */
export function edited({ mentions: _, ...item }: MessageItem, { at, body, mentions }: MessageEdited): MessageItem {
  const now = { ...item, edited_at: at, ...(mentions && { mentions }) };
  return body === null ? { ...now, outdated: !item.deleted } : { ...now, body, outdated: false };
}

/** What stays of a deleted message. All other fields go, those of a newer server too. */
const KEPT_OF_DELETED = ["kind", "asOf", "seq", "n", "at", "by", "name", "bot", "key", "reply_to"] as const satisfies (keyof MessageItem)[];
type Kept = Pick<MessageItem, (typeof KEPT_OF_DELETED)[number]>;

/** Apply a deletion: only the fact that there was a message remains. */
export function deleted(item: MessageItem): MessageItem {
  const kept = Object.fromEntries(KEPT_OF_DELETED.flatMap((name) => (name in item ? [[name, item[name]]] : []))) as unknown as Kept;
  return { ...kept, body: null, deleted: true, pinned: false, reactions: [], outdated: false };
}

export function reactionAdded(item: MessageItem, { emoji, by }: ReactionAdded, me: number): MessageItem {
  const reactions = item.reactions ?? [];
  const known = reactions.find((one) => one.emoji === emoji);
  const first = { emoji, count: 1, mine: by === me, users: [by] };
  if (!known) return { ...item, reactions: [...reactions, first] };
  const named = known.users.length < REACTION_USERS_SHOWN ? [...known.users, by] : known.users;
  const more = { emoji, count: known.count + 1, mine: known.mine || by === me, users: named };
  return { ...item, reactions: reactions.map((one) => (one === known ? more : one)) };
}

export function reactionRemoved(item: MessageItem, { emoji, by }: ReactionRemoved, me: number): MessageItem {
  const reactions = item.reactions ?? [];
  const known = reactions.find((one) => one.emoji === emoji);
  if (!known) return item;
  const rest = { emoji, count: known.count - 1, mine: known.mine && by !== me, users: known.users.filter((one) => one !== by) };
  // The next user to be named is not known here.
  const outdated = rest.users.length < Math.min(rest.count, REACTION_USERS_SHOWN) || item.outdated === true;
  return { ...item, outdated, reactions: reactions.flatMap((one) => (one !== known ? one : rest.count > 0 ? rest : [])) };
}
