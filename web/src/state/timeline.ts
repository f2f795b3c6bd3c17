/**
 * One window on the log of a room, without gaps from its first item to its last. There may be more
 * above (`older`) and below it (`newer`); in the latter case new items wait in the `tail`. Pure.
 */
import type { MessageSent } from "./events";
import type { Message } from "./model";
import type { NoteItem } from "./notes";

export interface MessageItem extends Omit<Message, "room"> {
  readonly kind: "message";
  /** The seq of the log up to which this is true. */
  readonly asOf: number;
  /** The message has changed in a way that only the server knows in full: load it. */
  readonly outdated?: boolean;
}

export type Item = MessageItem | NoteItem;

export interface Timeline {
  readonly status: "loading" | "ready" | "failed";
  /** Identifies the load: answers to an earlier one are outdated. */
  readonly load: number;
  /** Ascending by seq, without gaps from first to last. */
  readonly items: readonly Item[];
  /** There is more before the first item. */
  readonly older: boolean;
  /** There is more after the last item: the window does not reach the newest. */
  readonly newer: boolean;
  readonly tail: Tail;
  /** Quoted messages by seq, as far as they are loaded; a message may be among the items too. */
  readonly quotes: Quotes;
  /** The read position when the room was opened; null if nothing was unread. */
  readonly readAt: number | null;
}

/** Recent items below a window that does not reach the newest: everything after `from`. */
export interface Tail {
  readonly from: number;
  readonly items: readonly Item[];
}

/** A page of the log, read when the log's head was `head`. */
export interface Page {
  readonly items: readonly Item[];
  /** Messages that items reply to. */
  readonly quotes?: readonly MessageItem[];
  readonly older: boolean;
  readonly newer: boolean;
  readonly head: number;
}

export type Quotes = Readonly<Record<number, MessageItem>>;

export type Side = "older" | "newer";

/**
 * A window of this length stops growing at the newest end, even while the user looks at it: memory
 * is bounded.
 */
export const LIMIT = 1_000;
const TAIL = 200;
const NO_TAIL: Tail = { from: 0, items: [] };

export function started(load: number, readAt: number | null): Timeline {
  return { status: "loading", load, items: [], older: false, newer: false, tail: NO_TAIL, quotes: {}, readAt };
}

/**
 * `asOf` is the head at which the message was read; a message from its own event is true up to its
 * seq.
 */
export function fromMessage(message: Message | MessageSent, asOf = message.seq): MessageItem {
  const { room: _room, topic: _topic, type: _type, ...said } = message as Message & MessageSent;
  return { deleted: said.body === null, pinned: false, reactions: [], ...said, kind: "message", asOf };
}

/** Add a new item. */
export function arrived(timeline: Timeline, item: Item): Timeline {
  const answered = item.kind === "message" && item.reply_to !== undefined ? messageAt(timeline, item.reply_to) : null;
  const quotes = answered ? { ...timeline.quotes, [answered.seq]: answered } : timeline.quotes;
  if (timeline.newer) return { ...timeline, quotes, tail: longer(timeline.tail, item) };
  const last = timeline.items.at(-1);
  if (!last || timeline.items.length < LIMIT) return { ...timeline, quotes, items: merge(timeline.items, [item]) };
  return { ...timeline, quotes, newer: true, tail: longer({ from: last.seq, items: [] }, item) };
}

/** Return a message by seq from items, tail or quotes; null if it is not loaded. */
export function messageAt(timeline: Timeline, seq: number): MessageItem | null {
  const found = [...timeline.items, ...timeline.tail.items].find((item) => item.seq === seq);
  return found?.kind === "message" ? found : (timeline.quotes[seq] ?? null);
}

/**
 * Apply `change` to every message in items, tail and quotes. Return the same timeline if nothing
 * changed.
 */
export function everywhere(timeline: Timeline, change: (item: MessageItem) => MessageItem): Timeline {
  let touched = false;
  const look = <T extends Item>(item: T): T => {
    const now = item.kind === "message" ? (change(item) as T) : item;
    touched ||= now !== item;
    return now;
  };
  const items = timeline.items.map(look);
  const tail = { ...timeline.tail, items: timeline.tail.items.map(look) };
  const quotes = Object.fromEntries(Object.entries(timeline.quotes).map(([seq, item]) => [seq, look(item)]));
  return touched ? { ...timeline, items, tail, quotes } : timeline;
}

/** Replace the window by this page and what has happened since it was read. */
export function opened(timeline: Timeline, load: number, page: Page): Timeline {
  const since = lately(timeline, page.head);
  const window = { ...timeline, status: "ready", load, items: page.items, older: page.older } as const;
  return quoting(reaching(window, page, since), page);
}

/**
 * Add a page at one end. `edge` is the seq of the item it was requested next to; elsewhere it would
 * leave a gap.
 */
export function extended(timeline: Timeline, side: Side, edge: number, page: Page): Timeline {
  if (timeline.status !== "ready" || edgeOf(timeline, side) !== edge) return timeline;
  if (side === "older") {
    const items = page.items.filter((item) => item.seq < edge);
    return quoting({ ...timeline, items: merge(items, timeline.items), older: page.older }, page);
  }
  const items = merge(
    timeline.items,
    page.items.filter((item) => item.seq > edge),
  );
  return quoting(reaching({ ...timeline, items }, page, lately(timeline, page.head)), page);
}

/** Keep the newest `count` messages, and at most as many of the other lines among them. */
export function trimmed(timeline: Timeline, count: number): Timeline {
  const first = timeline.items.filter(({ kind }) => kind === "message").at(-count);
  const kept = first ? narrowed(timeline, first.seq, Number.MAX_SAFE_INTEGER) : timeline;
  const lines = kept.items.filter(({ kind }) => kind !== "message");
  const from = lines.length > count ? (lines.at(-count)?.seq ?? 0) : 0;
  return from ? { ...kept, items: kept.items.filter(({ kind, seq }) => kind === "message" || seq >= from) } : kept;
}

/** Keep items between two seqs, so that a window that is open for weeks stays small. */
export function narrowed(timeline: Timeline, from: number, to: number): Timeline {
  const items = timeline.items.filter((item) => item.seq >= from && item.seq <= to);
  const [first, last] = [timeline.items[0], timeline.items.at(-1)];
  if (!first || !last || items.length === timeline.items.length || items.length === 0) return timeline;
  const cut = last.seq > to;
  const tail = cut && !timeline.newer ? { from: last.seq, items: [] } : timeline.tail;
  return { ...timeline, items, older: timeline.older || first.seq < from, newer: timeline.newer || cut, tail };
}

/** Return the seq to request the next page on that side from; undefined in an empty window. */
export function edgeOf(timeline: Timeline, side: Side): number | undefined {
  return timeline.items.at(side === "older" ? 0 : -1)?.seq;
}

/** The union by seq; of two items with the same seq the new one wins. */
export function merge(items: readonly Item[], more: readonly Item[]): readonly Item[] {
  const last = items.at(-1);
  const first = more[0];
  if (!first) return items;
  if (!last || first.seq > last.seq) return [...items, ...more];
  const bySeq = new Map<number, Item>();
  for (const item of [...items, ...more]) bySeq.set(item.seq, item);
  return [...bySeq.values()].sort((a, b) => a.seq - b.seq);
}

/** Return all items after `head`; null if some of them are missing. */
function lately(timeline: Timeline, head: number): readonly Item[] | null {
  const { newer, tail, items } = timeline;
  if (newer && tail.from > head) return null;
  return (newer ? tail.items : items).filter((item) => item.seq > head);
}

/** Add the quotes of a page, and drop quotes that no message replies to. */
function quoting(timeline: Timeline, page: Page): Timeline {
  const known = new Map(Object.values(timeline.quotes).map((quote) => [quote.seq, quote]));
  for (const quote of page.quotes ?? []) if (quote.asOf >= (known.get(quote.seq)?.asOf ?? 0)) known.set(quote.seq, quote);
  const answered = new Set(
    [...timeline.items, ...timeline.tail.items].map((item) => (item.kind === "message" ? item.reply_to : undefined)),
  );
  return { ...timeline, quotes: Object.fromEntries([...known].filter(([seq]) => answered.has(seq))) };
}

function reaching(window: Timeline, page: Page, since: readonly Item[] | null): Timeline {
  if (since === null) return { ...window, newer: true };
  if (page.newer) return { ...window, newer: true, tail: { from: page.head, items: since } };
  return { ...window, items: merge(window.items, since), newer: false, tail: NO_TAIL };
}

function longer({ from, items }: Tail, item: Item): Tail {
  if (item.seq <= (items.at(-1)?.seq ?? from)) return { from, items };
  const dropped = items.length < TAIL ? undefined : items[0];
  return { from: dropped?.seq ?? from, items: [...items.slice(dropped ? 1 : 0), item] };
}
