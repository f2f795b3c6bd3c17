/** What clients see of people, rooms and messages: the server's own words (docs/protocol.md). */
import type * as contract from "../contract";

export type { Ban, Invite, Member, Message, Pin, Role, Room, RoomRole, Session, User } from "../contract";

/** Those of the server's limits that this client heeds. */
export type Limits = Pick<contract.ServerLimits, "body" | "characters">;

export const roomTopic = (room: number): string => `room:${room}`;
