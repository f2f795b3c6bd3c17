/**
 * A timeline as screen rows: days, the unread line, grouped messages, combined event lines. Pure.
 */
import type { NoteItem } from "./notes";
import type { MessageItem, Timeline } from "./timeline";

export type Row =
  | { kind: "day"; key: string; at: string }
  /** Above the first unread message. */
  | { kind: "new"; key: string; at: string }
  /** `first` starts a group: the row shows the author's name and avatar. */
  | { kind: "message"; key: string; item: MessageItem; first: boolean }
  /** Several users who did the same, one after the other. */
  | { kind: "notes"; key: string; notes: readonly [NoteItem, ...NoteItem[]] };

type MessageRow = Extract<Row, { kind: "message" }>;

const GROUP_MS = 5 * 60_000;
/** The same item keeps the same row, so that unchanged rows are not drawn again. */
const made = new WeakMap<MessageItem, MessageRow>();

export function rows({ items, older, readAt }: Pick<Timeline, "items" | "older" | "readAt">, me: number): Row[] {
  const found: Row[] = [];
  let day = "";
  // If the window starts later, the first unread message is above it.
  let marked = readAt === null || (older && (items[0]?.seq ?? 0) > readAt);
  for (const item of items) {
    const today = dayOf(item.at);
    if (today !== day) found.push({ kind: "day", key: `d${item.seq}`, at: item.at });
    day = today;
    if (!marked && item.kind === "message" && item.seq > (readAt ?? 0)) {
      marked = true;
      if (item.by !== me) found.push({ kind: "new", key: "new", at: item.at });
    }
    found.push(...(item.kind === "message" ? [message(item, found.at(-1))] : note(item, found)));
  }
  return found;
}

/** True if `next` continues the group of `item`: same author, soon after. */
export function continues(item: { by: number; at: string }, next: { by: number; at: string }): boolean {
  return item.by === next.by && Math.abs(Date.parse(next.at) - Date.parse(item.at)) < GROUP_MS;
}

/** Return the day in the user's time zone. */
export function dayOf(at: string): string {
  const date = new Date(at);
  return `${date.getFullYear()}-${date.getMonth() + 1}-${date.getDate()}`;
}

function message(item: MessageItem, before: Row | undefined): Row {
  const first = before?.kind !== "message" || !continues(before.item, item);
  const known = made.get(item);
  if (known?.first === first) return known;
  const row: MessageRow = { kind: "message", key: `m${item.seq}`, item, first };
  made.set(item, row);
  return row;
}

function note(item: NoteItem, found: Row[]): Row[] {
  const before = found.at(-1);
  const same = before?.kind === "notes" && item.text.gathers && before.notes[0].text.does === item.text.does;
  if (!same) return [{ kind: "notes", key: `n${item.seq}`, notes: [item] }];
  found[found.length - 1] = { ...before, notes: [...before.notes, item] };
  return [];
}
