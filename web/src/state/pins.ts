/** The pins of a room beyond the first page. Pure. */
import { caughtUp } from "./changes";
import type { Pin } from "./model";
import type { State } from "./state";
import { fromMessage } from "./timeline";

/** Append a page of older pins. */
export function pinsExtended(state: State, room: number, pins: readonly Pin[], head: number): State {
  const known = state.pins[room];
  const messages = caughtUp(
    state.changes[room],
    head,
    pins.map((pin) => fromMessage(pin.message, head)),
    state.me.id,
  );
  if (!known || !messages) return state;
  const last = known.at(-1)?.seq ?? Number.MAX_SAFE_INTEGER;
  const more = pins.flatMap(({ seq, by, name, at }, index) => {
    const message = messages[index];
    // Skip messages that were unpinned since the page was read.
    return message?.pinned && seq < last ? [{ seq, by, name, at, message }] : [];
  });
  return { ...state, pins: { ...state.pins, [room]: [...known, ...more] } };
}
