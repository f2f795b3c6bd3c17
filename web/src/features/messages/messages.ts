/** What one can do with messages: write, send again, throw away, read on, look back. */
import type { Chat } from "../../chat.svelte";
import type { ChatEvent, Messages } from "../../contract";
import { get } from "../../net/http";
import { randomKey } from "../../net/keys";
import { notesLoaded, pageLoaded, timelineFailed, timelineStarted } from "../../state/load";
import { roomTopic, type Limits } from "../../state/model";
import { fromCreation, fromMembership, type Item } from "../../state/timeline";
import { isReset, type Page } from "../../sync/frames";

const PAGE = 50;
const NOTES = 200;

let loads = 0;

export function send(chat: Chat, room: number, text: string): void {
  chat.input({ type: "send", key: randomKey(), room, body: clean(text) });
}

/** Without what has no place in any text: U+0000, and halves of characters, which have no UTF-8 form. */
export function clean(text: string): string {
  return text.replaceAll("\u0000", "").replace(/\p{Surrogate}/gu, "\ufffd");
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

/** Start the timeline of a room with the newest page. */
export async function openTimeline(chat: Chat, room: number): Promise<void> {
  const load = ++loads;
  chat.update((state) => timelineStarted(state, room, load));
  try {
    const page = await get<Messages>(`api/rooms/${room}/messages?limit=${PAGE}`);
    const notes = await loadNotes(room, page, page.heads[roomTopic(room)] ?? Number.MAX_SAFE_INTEGER);
    chat.update((state) => notesLoaded(pageLoaded(state, room, load, page), room, load, notes));
  } catch {
    chat.update((state) => timelineFailed(state, room, load));
  }
}

/** Load the page before the first item; throws what went wrong. */
export async function loadOlder(chat: Chat, room: number): Promise<void> {
  const timeline = chat.state.timelines[room];
  const first = timeline?.items.find((item) => item.kind === "message");
  if (!timeline || !first) return;
  const page = await get<Messages>(`api/rooms/${room}/messages?before=${first.seq}&limit=${PAGE}`);
  const notes = await loadNotes(room, page, first.seq);
  chat.update((state) => notesLoaded(pageLoaded(state, room, timeline.load, page), room, timeline.load, notes));
}

/**
 * The joined and left lines that belong between the messages of a page, up to `until`.
 * They come from the log, which goes back less far than the messages; where it has ended there are none.
 */
async function loadNotes(room: number, page: Messages, until: number): Promise<Item[]> {
  const first = page.messages[0]?.seq;
  const after = page.more.before && first !== undefined ? first - 1 : 0;
  const url = (from: number): string => `api/topics/${roomTopic(room)}/events?after=${from}&limit=${NOTES}`;
  try {
    let found = await get<Page>(url(after));
    if (isReset(found) && found.floor > after) found = await get<Page>(url(found.floor));
    return (isReset(found) ? [] : found.events).filter((event) => event.seq <= until).flatMap(asNote);
  } catch {
    return []; // The messages are what counts.
  }
}

function asNote(event: ChatEvent): Item[] {
  switch (event.type) {
    case "member.joined":
    case "member.left":
    case "member.removed":
      return [fromMembership(event)];
    case "room.created":
      return event.topic === "site" ? [] : [fromCreation(event)];
    default:
      return [];
  }
}
