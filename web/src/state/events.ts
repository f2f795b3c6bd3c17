/** The events that the server sends. */
import type { ChatEvent } from "../contract";

export type {
  ChatEvent,
  MemberBanned,
  MemberJoined,
  MemberLeft,
  MemberRemoved,
  MemberRoleChanged,
  MemberUnbanned,
  MessageDeleted,
  MessageEdited,
  MessagePinned,
  MessageSent,
  MessageUnpinned,
  ReactionAdded,
  ReactionRemoved,
  ReadMoved,
  RoomAdded,
  RoomArchived,
  RoomCreated,
  RoomRemoved,
  RoomRestored,
  RoomUpdated,
  SessionClosed,
  SessionOpened,
  SiteUpdated,
  RoomPreferencesChanged,
  StatusChanged,
} from "../contract";

export type EventOf<T extends ChatEvent["type"]> = Extract<ChatEvent, { type: T }>;

/** An event that changes the message it names. */
export type Change = Extract<ChatEvent, { message: number }>;
