/** State, inputs and effects of the sync machine. */
import type { PresenceChanged, UserTyping } from "../contract";
import type { ChatEvent } from "../state/events";
import type { Command, Frame, Welcome } from "./frames";
import type { Outbox } from "./outbox";
import type { Positions } from "./positions";
import { noEphemeral, type Ephemeral } from "./ephemeral";

export interface SyncState {
  /** True from `welcome` to the end of the connection. */
  readonly live: boolean;
  readonly epoch: string | null;
  readonly positions: Positions;
  readonly outbox: Outbox;
  /** Unanswered sends of this connection: id → key. */
  readonly sends: Readonly<Record<number, string>>;
  /** Typing, idle and watched presences. */
  readonly ephemeral: Ephemeral;
  readonly nextId: number;
}

export type SyncInput =
  | { type: "opened" }
  | { type: "lost" }
  | { type: "frame"; frame: Frame }
  | { type: "send"; key: string; room: number; body: string; reply_to?: number }
  | { type: "retry"; key: string }
  | { type: "discard"; key: string }
  /** Messages written in another window of this browser, or before this one opened. */
  | { type: "found"; outbox: Outbox }
  | { type: "read"; room: number; seq: number }
  /** The user is typing in a room. */
  | { type: "typing"; room: number }
  /** The user has become idle or active. */
  | { type: "idle"; idle: boolean }
  /** The users whose presence is shown from now on. */
  | { type: "watch"; users: readonly number[] }
  | { type: "timer" };

export type SyncEffect =
  | { type: "transmit"; command: Command }
  /** A complete new state; `fresh` names the topics whose events up to here were not replayed. */
  | { type: "welcome"; welcome: Welcome; fresh: string[] }
  | { type: "event"; event: ChatEvent }
  /** Presence or typing. `all`: users that it does not name are unknown from now on. */
  | { type: "signal"; signal: UserTyping | PresenceChanged; all: boolean }
  /** Messages that cannot be sent, because the user has left their rooms. */
  | { type: "unsent"; outbox: Outbox }
  /** The log of this topic cannot be replayed from the client's position: load its state. */
  | { type: "reset"; topic: string }
  /** Only a new connection without positions restores the right state. */
  | { type: "start over" }
  /** There is one timer; setting it replaces it. */
  | { type: "timer"; at: number };

export type SyncStep = [SyncState, SyncEffect[]];

export const empty: SyncState = { live: false, epoch: null, positions: {}, outbox: [], sends: {}, ephemeral: noEphemeral, nextId: 1 };
