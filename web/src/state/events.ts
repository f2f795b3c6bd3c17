/** Everything that can happen, as the server tells it. */
import type { Room, Session } from "./model";

interface Base {
  topic: string;
  seq: number;
  at: string;
}

interface Membership extends Base {
  room: number;
  user: number;
  name: string;
  by: number;
}

export interface MessageSent extends Base {
  type: "message.sent";
  room: number;
  by: number;
  name: string;
  n: number;
  key: string;
  /** Null where a later event has taken the text away. */
  body: string | null;
}
export interface MemberJoined extends Membership {
  type: "member.joined";
}
export interface MemberLeft extends Membership {
  type: "member.left";
}
export interface MemberRemoved extends Membership {
  type: "member.removed";
}
export interface RoomCreated extends Base {
  type: "room.created";
  room: Room;
  by: number;
  name: string;
}
export interface RoomAdded extends Base {
  type: "room.added";
  room: Room;
}
export interface RoomGone extends Base {
  type: "room.gone";
  room: number;
}
export interface ReadMoved extends Base {
  type: "read.moved";
  room: number;
  /** The new read position in the room's log. */
  read: number;
  unread: number;
}
export interface SessionOpened extends Base {
  type: "session.opened";
  session: Session;
}
export interface SessionClosed extends Base {
  type: "session.closed";
  session: string;
}

export type ChatEvent =
  | MessageSent
  | MemberJoined
  | MemberLeft
  | MemberRemoved
  | RoomCreated
  | RoomAdded
  | RoomGone
  | ReadMoved
  | SessionOpened
  | SessionClosed;

export type EventOf<T extends ChatEvent["type"]> = Extract<ChatEvent, { type: T }>;
