/** A timeline as the lines of a screen: days, the mark of what is new, grouped messages, gathered notes. Pure. */
import type { Item, MessageItem, NoteItem } from "./timeline";

export type Row =
  | { kind: "day"; key: string; at: string }
  | { kind: "new"; key: string }
  /** `first` opens a group: it carries the author's name and picture. */
  | { kind: "message"; key: string; item: MessageItem; first: boolean }
  /** Several people who did the same, one after the other. */
  | { kind: "notes"; key: string; notes: readonly [NoteItem, ...NoteItem[]] };

const GROUP_MS = 5 * 60_000;

export function rows(items: readonly Item[], readAt: number | null, me: number): Row[] {
  const found: Row[] = [];
  let day = "";
  let marked = readAt === null;
  for (const item of items) {
    const today = dayOf(item.at);
    if (today !== day) found.push({ kind: "day", key: `day ${today}`, at: item.at });
    day = today;
    if (!marked && item.kind === "message" && item.seq > (readAt ?? 0)) {
      marked = true;
      if (item.by !== me) found.push({ kind: "new", key: "new" });
    }
    found.push(...(item.kind === "message" ? [message(item, found.at(-1))] : note(item, found)));
  }
  return found;
}

/** True if `next` goes on where `item` ended: same author, soon after. */
export function continues(item: { by: number; at: string }, next: { by: number; at: string }): boolean {
  return item.by === next.by && Math.abs(Date.parse(next.at) - Date.parse(item.at)) < GROUP_MS;
}

/** The day in the reader's own time zone. */
export function dayOf(at: string): string {
  const date = new Date(at);
  return `${date.getFullYear()}-${date.getMonth() + 1}-${date.getDate()}`;
}

function message(item: MessageItem, before: Row | undefined): Row {
  const first = before?.kind !== "message" || !continues(before.item, item);
  return { kind: "message", key: `m${item.seq}`, item, first };
}

function note(item: NoteItem, found: Row[]): Row[] {
  const before = found.at(-1);
  const same = before?.kind === "notes" && before.notes[0].kind === item.kind && item.kind === "joined";
  if (!same) return [{ kind: "notes", key: `n${item.seq}`, notes: [item] }];
  found[found.length - 1] = { ...before, notes: [...before.notes, item] };
  return [];
}
