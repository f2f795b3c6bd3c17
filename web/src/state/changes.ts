/**
 * Changes to a message after it was sent, wherever it is shown: in the timeline, as a quote, as a
 * pin. A message knows up to which seq of the log it is true (`asOf`), so that each change is
 * applied once, however late an answer arrives. Pure.
 */
import { entryOf } from "./event_types";
import type { Change } from "./events";
import type { State } from "./state";
import { everywhere, type MessageItem } from "./timeline";

/**
 * Recent changes in a room, for answers that were read before and arrive after them. Complete above
 * `dropped`.
 */
export interface Changes {
  readonly dropped: number;
  readonly events: readonly Change[];
}

const KEPT = 500;

export function recorded(changes: Changes | undefined, event: Change): Changes {
  const { dropped, events } = changes ?? { dropped: 0, events: [] };
  if (event.seq <= (events.at(-1)?.seq ?? dropped)) return { dropped, events };
  // Earlier changes of a deleted message mean nothing any more, and may hold its text.
  const before = event.type === "message.deleted" ? events.filter((one) => one.message !== event.message) : events;
  const gone = before.length < KEPT ? undefined : before[0];
  return { dropped: gone?.seq ?? dropped, events: [...before.slice(gone ? 1 : 0), event] };
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
  const message = item as MessageItem;
  return { ...(entryOf(event)?.change(message, event, me) ?? message), asOf: event.seq } as T;
}

/** Apply a change to its message wherever that is shown. */
export function messageChanged(state: State, event: Change): State {
  const { room } = event;
  const me = state.me.id;
  const timeline = state.timelines[room];
  const pins = state.pins[room];
  return {
    ...state,
    changes: { ...state.changes, [room]: recorded(state.changes[room], event) },
    timelines: timeline ? { ...state.timelines, [room]: everywhere(timeline, (item) => applied(item, event, me)) } : state.timelines,
    pins: pins ? { ...state.pins, [room]: pins.map((pin) => ({ ...pin, message: applied(pin.message, event, me) })) } : state.pins,
  };
}
