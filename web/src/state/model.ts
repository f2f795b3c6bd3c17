/** Users, rooms and messages as clients see them: the server's types (docs/protocol.md). */
import type * as contract from "../contract";

export type { Ban, Invite, Member, Message, Pin, Role, Room, RoomRole, Session, User } from "../contract";

/** The server limits that this client uses. */
export type MessageLimits = Pick<contract.ServerLimits, "body" | "characters">;

export const roomTopic = (room: number): string => `room:${room}`;
