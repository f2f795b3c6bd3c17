/**
 * Changes to a message after it was sent, wherever it is shown: in the timeline, as a quote, as a
 * pin. A message knows up to which seq of the log it is true (`asOf`), so that each change is
 * applied once, however late an answer arrives. Pure.
 */
import type { MessageDeleted, MessageEdited, MessagePinned, MessageUnpinned, ReactionAdded, ReactionRemoved } from "./events";
import type { MessageItem } from "./timeline";

export type Change = MessageDeleted | MessageEdited | MessagePinned | MessageUnpinned | ReactionAdded | ReactionRemoved;

/**
 * Recent changes in a room, for answers that were read before and arrive after them. Complete above
 * `dropped`.
 */
export interface Changes {
  readonly dropped: number;
  readonly events: readonly Change[];
}

const KEPT = 500;
/** How many users the server names per reaction. */
const NAMED = 20;

export function recorded(changes: Changes | undefined, event: Change): Changes {
  const { dropped, events } = changes ?? { dropped: 0, events: [] };
  if (event.seq <= (events.at(-1)?.seq ?? dropped)) return { dropped, events };
  const gone = events.length < KEPT ? undefined : events[0];
  return { dropped: gone?.seq ?? dropped, events: [...events.slice(gone ? 1 : 0), event] };
}

/**
 * Bring messages from an answer that was read at `head` up to date; null if too much has happened
 * since.
 */
export function caughtUp<T>(changes: Changes | undefined, head: number, items: readonly T[], me: number): readonly T[] | null {
  if (!changes) return items;
  if (head < changes.dropped) return null;
  const since = changes.events.filter((event) => event.seq > head);
  return since.length === 0 ? items : items.map((item) => since.reduce((now, event) => applied(now, event, me), item));
}

/** Apply an event to a message; other items are returned unchanged. */
export function applied<T>(item: T, event: Change, me: number): T {
  const { kind, seq, asOf } = item as Partial<MessageItem>;
  if (kind !== "message" || seq !== event.message || event.seq <= (asOf ?? 0)) return item;
  return { ...changed(item as MessageItem, event, me), asOf: event.seq } as T;
}

function changed(item: MessageItem, event: Change, me: number): MessageItem {
  switch (event.type) {
    case "message.edited":
      return edited(item, event);
    case "message.deleted":
      return deleted(item);
    case "message.pinned":
      return { ...item, pinned: true };
    case "message.unpinned":
      return { ...item, pinned: false };
    case "reaction.added":
      return added(item, event, me);
    case "reaction.removed":
      return removed(item, event, me);
  }
}

/**
 * Apply an edit. Without the text the message has to be loaded; null means that a later event
 * replaces it.
 */
function edited({ mentions: _, ...item }: MessageItem, { at, body, mentions }: MessageEdited): MessageItem {
  const now = { ...item, edited_at: at, ...(mentions && { mentions }) };
  if (body === null) return now;
  return body === undefined ? { ...now, outdated: true } : { ...now, body, outdated: false };
}

/** Apply a deletion: only the fact that there was a message remains. */
function deleted({ edited_at: _, forwarded: __, mentions: ___, ...item }: MessageItem): MessageItem {
  return { ...item, body: null, deleted: true, pinned: false, reactions: [], outdated: false };
}

function added(item: MessageItem, { emoji, by }: ReactionAdded, me: number): MessageItem {
  const reactions = item.reactions ?? [];
  const known = reactions.find((one) => one.emoji === emoji);
  const first = { emoji, count: 1, mine: by === me, users: [by] };
  if (!known) return { ...item, reactions: [...reactions, first] };
  const named = known.users.length < NAMED ? [...known.users, by] : known.users;
  const more = { emoji, count: known.count + 1, mine: known.mine || by === me, users: named };
  return { ...item, reactions: reactions.map((one) => (one === known ? more : one)) };
}

function removed(item: MessageItem, { emoji, by }: ReactionRemoved, me: number): MessageItem {
  const reactions = item.reactions ?? [];
  const known = reactions.find((one) => one.emoji === emoji);
  if (!known) return item;
  const rest = { emoji, count: known.count - 1, mine: known.mine && by !== me, users: known.users.filter((one) => one !== by) };
  // The next user to be named is not known here.
  const outdated = rest.users.length < Math.min(rest.count, NAMED) || item.outdated === true;
  return { ...item, outdated, reactions: reactions.flatMap((one) => (one !== known ? one : rest.count > 0 ? rest : [])) };
}
