/** What the machine knows, hears and does: the words between it and the world. */
import type { PresenceChanged, UserTyping } from "../contract";
import type { ChatEvent } from "../state/events";
import type { Command, Frame, Welcome } from "./frames";
import type { Outbox } from "./outbox";
import type { Positions } from "./positions";
import { noEphemeral, type Ephemeral } from "./ephemeral";

export interface SyncState {
  /** Between `welcome` and the end of the connection. */
  readonly live: boolean;
  readonly epoch: string | null;
  readonly positions: Positions;
  readonly outbox: Outbox;
  /** Sends of this connection that wait for their answer: id → key. */
  readonly sends: Readonly<Record<number, string>>;
  /** What is told and asked of the moment. */
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
  /** Written in another window of this browser, or before this one was there. */
  | { type: "found"; outbox: Outbox }
  | { type: "read"; room: number; seq: number }
  /** One is writing in a room. */
  | { type: "typing"; room: number }
  /** Nobody is at this window any more, or somebody is again. */
  | { type: "idle"; idle: boolean }
  /** Whose presence is shown from here on. */
  | { type: "watch"; users: readonly number[] }
  | { type: "timer" };

export type SyncEffect =
  | { type: "transmit"; command: Command }
  /** A new picture of everything; `fresh` names the topics whose events up to here were not replayed. */
  | { type: "welcome"; welcome: Welcome; fresh: string[] }
  | { type: "event"; event: ChatEvent }
  /** True for a moment only. `all`: of whom it does not speak, nothing is known any more. */
  | { type: "signal"; signal: UserTyping | PresenceChanged; all: boolean }
  /** These cannot be sent any more, since one is no longer in their rooms. */
  | { type: "unsent"; outbox: Outbox }
  /** The log of this topic cannot be replayed from where we were: load its state. */
  | { type: "reset"; topic: string }
  /** Only a new connection without positions brings a right picture again. */
  | { type: "start over" }
  /** There is one timer; setting it replaces it. */
  | { type: "timer"; at: number };

export type SyncStep = [SyncState, SyncEffect[]];

export const empty: SyncState = { live: false, epoch: null, positions: {}, outbox: [], sends: {}, ephemeral: noEphemeral, nextId: 1 };
