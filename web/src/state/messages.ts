/** The effects of message events on the state. Pure. */
import { countDeleted, countSent } from "./attention";
import type { MessageDeleted, MessagePinned, MessageSent, MessageUnpinned } from "./events";
import { without, type State } from "./state";
import { arrived, fromMessage, messageAt, type Item } from "./timeline";

export function messageSent(state: State, event: MessageSent): State {
  return appended(countSent(state, event), event.room, fromMessage(event));
}

export function messageDeleted(state: State, event: MessageDeleted): State {
  return pinUnlisted(countDeleted(state, event), event);
}

/** Pins whose message is not loaded are reloaded when the user opens them. */
export function pinListed(state: State, event: MessagePinned): State {
  const { room, seq, by, name, at } = event;
  const pins = state.pins[room];
  if (!pins || seq <= (pins[0]?.seq ?? 0)) return state;
  const timeline = state.timelines[room];
  const message = timeline && messageAt(timeline, event.message);
  const listed = message && [{ seq, message, by, name, at }, ...pins.filter((pin) => pin.message.seq !== event.message)];
  return { ...state, pins: listed ? { ...state.pins, [room]: listed } : without(state.pins, room) };
}

export function pinUnlisted(state: State, { room, message }: MessageDeleted | MessageUnpinned): State {
  const pins = state.pins[room];
  return pins ? { ...state, pins: { ...state.pins, [room]: pins.filter((pin) => pin.message.seq !== message) } } : state;
}

/** Append an item to a room's timeline, if that is loaded. */
export function appended(state: State, room: number, item: Item): State {
  const timeline = state.timelines[room];
  if (!timeline) return state;
  return { ...state, timelines: { ...state.timelines, [room]: arrived(timeline, item) } };
}
