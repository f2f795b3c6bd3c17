/** The effects of message events on the state. Pure. */
import { countDeleted, countEdited, countSent } from "./attention";
import { applied, recorded, type Change } from "./changes";
import type { MessageDeleted, MessageEdited, MessagePinned, MessageSent, MessageUnpinned } from "./events";
import { without, type State } from "./state";
import { arrived, everywhere, fromMessage, messageAt, type Item } from "./timeline";

export function messageSent(state: State, event: MessageSent): State {
  return appended(countSent(state, event), event.room, fromMessage(event));
}

export function messageEdited(state: State, event: MessageEdited): State {
  return messageChanged(countEdited(state, event), event);
}

/** Apply a change to a message wherever it is shown. */
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

export function messageDeleted(state: State, event: MessageDeleted): State {
  return unlisted(messageChanged(countDeleted(state, event), event), event);
}

export function messageUnpinned(state: State, event: MessageUnpinned): State {
  return unlisted(messageChanged(state, event), event);
}

/** Pins whose message is not loaded are reloaded when the user opens them. */
export function messagePinned(state: State, event: MessagePinned): State {
  const { room, seq, by, name, at } = event;
  const changed = messageChanged(state, event);
  const pins = changed.pins[room];
  if (!pins || seq <= (pins[0]?.seq ?? 0)) return changed;
  const timeline = changed.timelines[room];
  const message = timeline && messageAt(timeline, event.message);
  const listed = message && [{ seq, message, by, name, at }, ...pins.filter((pin) => pin.message.seq !== event.message)];
  return { ...changed, pins: listed ? { ...changed.pins, [room]: listed } : without(changed.pins, room) };
}

function unlisted(state: State, { room, message }: MessageDeleted | MessageUnpinned): State {
  const pins = state.pins[room];
  return pins ? { ...state, pins: { ...state.pins, [room]: pins.filter((pin) => pin.message.seq !== message) } } : state;
}

/** Append an item to a room's timeline, if that is loaded. */
export function appended(state: State, room: number, item: Item): State {
  const timeline = state.timelines[room];
  if (!timeline) return state;
  return { ...state, timelines: { ...state.timelines, [room]: arrived(timeline, item) } };
}
