/** Frames besides events: commands, answers, and their envelopes (hubbub.v1). */
import type {
  ChatEvent,
  EventPage,
  EventsSince,
  Hello,
  NoWay,
  Ok,
  Position,
  ReadRoom,
  CommandRefused,
  SendMessage,
  ServerFrame,
  SetIdle,
  Typing,
  WatchPresence,
} from "../contract";

export type { Refusal, Welcome } from "../contract";

export type Answer = (Ok & { error?: undefined }) | (CommandRefused & { ok?: undefined });
export type Frame = Answer | Exclude<ServerFrame, Ok | CommandRefused>;

/** The answer to a `message.send`, and to an `events.since`. */
export type Sent = Position;
export type Page = EventPage | NoWay;

/** The commands this client sends. */
export type Command = Hello | SendMessage | EventsSince | ReadRoom | Typing | SetIdle | WatchPresence;

export const isAnswer = (frame: Frame): frame is Answer => "re" in frame;
export const isEvent = (frame: Frame): frame is ChatEvent => "seq" in frame && "topic" in frame;
export const isReset = (page: Page): page is NoWay => "reset" in page;
