/** The events that the server sends. */
import type { ChatEvent } from "../contract";

export type * from "../contract";

export type EventOf<T extends ChatEvent["type"]> = Extract<ChatEvent, { type: T }>;

/**
 * An event of a room that changes the message it names. Events about a message in the user's own
 * topic are none: they have no `by`, and their seq says nothing about the room.
 */
export type Change = Extract<ChatEvent, { message: number; by: number }>;
