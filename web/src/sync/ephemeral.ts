/** Ephemeral signals of this window: typing, idle, and whose presence to watch. Pure. */
export interface Ephemeral {
  /** Users whose presence is shown. */
  readonly watched: readonly number[];
  /** The id of the unanswered `presence.watch`; "again" after a refusal. */
  readonly asked: number | "again" | null;
  readonly idle: boolean;
  /** When typing was last sent, by room. */
  readonly typed: Readonly<Record<number, number>>;
}

/** How often typing is sent (ms). */
export const TYPING_EVERY_MS = 3_000;

export const noEphemeral: Ephemeral = { watched: [], asked: null, idle: false, typed: {} };

export const maySendTyping = (ephemeral: Ephemeral, room: number, now: number): boolean =>
  now - (ephemeral.typed[room] ?? Number.NEGATIVE_INFINITY) >= TYPING_EVERY_MS;

/** After a lost connection it is unknown which signals arrived. */
export const interrupted = (ephemeral: Ephemeral): Ephemeral => ({ ...ephemeral, asked: null, typed: {} });
