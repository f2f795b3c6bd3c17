/** Fetch pieces of a room's log: a page of messages, and the events between them. */
import type { Messages } from "../../contract";
import { MAX_PAGE } from "../../limits";
import { get } from "../../net/http";
import { noteOf } from "../../state/event_types";
import { roomTopic } from "../../state/model";
import type { NoteItem } from "../../state/notes";
import { fromMessage, merge, type Page } from "../../state/timeline";
import { isReset, type Page as Events } from "../../sync/frames";

const PAGE = 50;
/**
 * The most requests for events between messages; if they do not suffice, some events are left out.
 * Messages matter more.
 */
const MOST_REQUESTS = 5;

export type Where = { readonly around: number } | { readonly before: number } | { readonly after: number } | null;

interface Span {
  readonly after: number;
  readonly to: number;
}

/** Fetch the page before, after or around a seq; the newest page without one. */
export async function fetchPage(room: number, where: Where, floor: number): Promise<Page> {
  const [[side, seq] = []] = Object.entries<number>(where ?? {});
  const page = await get<Messages>(`api/rooms/${room}/messages?limit=${PAGE}${side ? `&${side}=${seq}` : ""}`);
  const head = page.heads[roomTopic(room)] ?? Number.MAX_SAFE_INTEGER;
  const span = silence(page, where, head);
  const notes = span && span.to > floor ? await fetchNotes(room, { ...span, after: Math.max(span.after, floor) }) : [];
  const [messages, quotes] = [page.messages, page.quotes].map((found) => found.map((message) => fromMessage(message, head)));
  return { items: merge(messages ?? [], notes), quotes: quotes ?? [], older: page.more.before, newer: page.more.after, head };
}

/**
 * Return the stretch of the log that may hold events besides messages, or null. Messages are
 * numbered without gaps in `n`, all entries in `seq`: where both grow alike, there is nothing else.
 */
export function silence({ messages, more }: Pick<Messages, "messages" | "more">, where: Where, head: number): Span | null {
  const spans: Span[] = [];
  const [first, last] = [messages[0], messages.at(-1)];
  const start = where && "after" in where ? where.after : more.before && first ? first.seq - 1 : 0;
  const end = where && "before" in where ? where.before - 1 : more.after && last ? last.seq : head;
  let at = start;
  for (const { seq } of messages) {
    if (seq > at + 1) spans.push({ after: at, to: seq - 1 });
    at = seq;
  }
  if (end > at) spans.push({ after: at, to: end });
  const [one, other] = [spans[0], spans.at(-1)];
  return one && other ? { after: one.after, to: other.to } : null;
}

async function fetchNotes(room: number, { after, to }: Span): Promise<NoteItem[]> {
  const found: NoteItem[] = [];
  try {
    for (let requests = 0, at = after; at < to && requests < MOST_REQUESTS; requests += 1) {
      const answer = await get<Events>(`api/topics/${roomTopic(room)}/events?after=${at}&limit=${MAX_PAGE}`);
      // The log may be trimmed earlier than the messages.
      const next = isReset(answer) ? answer.floor : (answer.events.at(-1)?.seq ?? to);
      if (!isReset(answer)) found.push(...answer.events.flatMap((event) => noteOf(event) ?? []));
      if (next <= at) break;
      at = next;
    }
  } catch {
    // Ignore the error: messages matter more than event lines.
  }
  return found.filter((note) => note.seq <= to);
}
