/** Found messages, and what happens to them while they are shown. Pure. */
import type { FoundMessage } from "../../contract";
import { applied } from "../../state/changes";
import type { State } from "../../state/state";
import { fromMessage, type MessageItem } from "../../state/timeline";
import { wordsAt } from "./marks";
import type { Chip } from "./query";

export interface Found {
  readonly room: number;
  readonly message: MessageItem;
  /** The found words; null if the query has only filters. */
  readonly words: RegExp | null;
}

export const keyOf = ({ room, message }: Found): string => `${room}/${message.seq}`;

/** `known` are the changes that had been received when the server was asked: the answer has them all. */
export function foundOf({ message, highlights }: FoundMessage, known: State["changes"]): Found {
  const changes = known[message.room];
  const asOf = Math.max(message.seq, changes?.events.at(-1)?.seq ?? changes?.dropped ?? 0);
  return { room: message.room, message: fromMessage(message, asOf), words: wordsAt(message.body ?? "", highlights) };
}

/**
 * Apply the changes in the rooms: deleted messages go, and so do messages that no longer match and
 * those in rooms that the user has left. Returns the same list if nothing changed. Null: the server
 * has to be asked again.
 */
export function followed(
  found: readonly Found[],
  state: Pick<State, "rooms" | "changes" | "me">,
  chips: readonly Chip[],
): readonly Found[] | null {
  const pinned = chips.some(({ name }) => name === "is");
  let touched = false;
  const now: Found[] = [];
  for (const one of found) {
    let { message } = one;
    for (const event of state.changes[one.room]?.events ?? []) message = applied(message, event, state.me.id);
    const changed = message !== one.message;
    if (changed && message.outdated) return null;
    const stays =
      state.rooms[one.room] && message.body !== null && !(pinned && !message.pinned) && (!changed || matches(one.words, message.body));
    touched ||= changed || !stays;
    if (stays) now.push(changed ? { ...one, message } : one);
  }
  return touched ? now : found;
}

const matches = (words: RegExp | null, body: string): boolean => words === null || body.search(words) >= 0;

export interface Day {
  readonly day: string;
  readonly found: readonly Found[];
}

/** Group by day; the newest come first. */
export function byDay(found: readonly Found[], dayOf: (at: string) => string): Day[] {
  const days: { day: string; found: Found[] }[] = [];
  for (const one of found) {
    const day = dayOf(one.message.at);
    const last = days.at(-1);
    if (last?.day === day) last.found.push(one);
    else days.push({ day, found: [one] });
  }
  return days;
}
