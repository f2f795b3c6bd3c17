/** What events about messages change. Pure. */
import { calledByDeleted, calledByEdited, calledBySent } from "./attention";
import { applied, noted, type Change } from "./changes";
import type { MessageDeleted, MessageEdited, MessagePinned, MessageSent, MessageUnpinned } from "./events";
import { without, type State } from "./state";
import { arrived, everywhere, fromMessage, messageAt, type Item } from "./timeline";

export function messageSent(state: State, event: MessageSent): State {
  return appended(calledBySent(state, event), event.room, fromMessage(event));
}

export function messageEdited(state: State, event: MessageEdited): State {
  return messageChanged(calledByEdited(state, event), event);
}

/** Something has happened to an earlier message: it is different wherever it is shown. */
export function messageChanged(state: State, event: Change): State {
  const { room } = event;
  const me = state.me.id;
  const timeline = state.timelines[room];
  const pins = state.pins[room];
  return {
    ...state,
    changes: { ...state.changes, [room]: noted(state.changes[room], event) },
    timelines: timeline ? { ...state.timelines, [room]: everywhere(timeline, (item) => applied(item, event, me)) } : state.timelines,
    pins: pins ? { ...state.pins, [room]: pins.map((pin) => ({ ...pin, message: applied(pin.message, event, me) })) } : state.pins,
  };
}

export function messageDeleted(state: State, event: MessageDeleted): State {
  return unlisted(messageChanged(calledByDeleted(state, event), event), event);
}

export function messageUnpinned(state: State, event: MessageUnpinned): State {
  return unlisted(messageChanged(state, event), event);
}

/** What is not known here has to be asked for: the pins are loaded again when they are looked at. */
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

/** A new line at the end of a room's timeline, if that is loaded. */
export function appended(state: State, room: number, item: Item): State {
  const timeline = state.timelines[room];
  if (!timeline) return state;
  return { ...state, timelines: { ...state.timelines, [room]: arrived(timeline, item) } };
}
