/** Everything that can happen, as the server tells it. */
import type { ChatEvent } from "../contract";

export type {
  ChatEvent, MemberJoined, MemberLeft, MemberRemoved, MessageSent, ReadMoved, RoomAdded, RoomCreated, RoomGone,
  SessionClosed, SessionOpened,
} from "../contract";

export type EventOf<T extends ChatEvent["type"]> = Extract<ChatEvent, { type: T }>;
