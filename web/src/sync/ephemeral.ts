/** What this window tells and asks of the moment: who writes, whether anybody is here, who is looked at. Pure. */
export interface Ephemeral {
  /** Whose presence is shown. */
  readonly watched: readonly number[];
  /** The question about them that waits for its answer; "again" once it was not taken. */
  readonly asked: number | "again" | null;
  readonly idle: boolean;
  /** When one's writing was told last, by room. */
  readonly typed: Readonly<Record<number, number>>;
}

/** So often it is told that one is still writing. */
export const TYPING_EVERY_MS = 3_000;
/** What the server takes in one `presence.watch`. */
export const MAX_WATCHED = 200;

export const noEphemeral: Ephemeral = { watched: [], asked: null, idle: false, typed: {} };

export const maySendTyping = (ephemeral: Ephemeral, room: number, now: number): boolean =>
  now - (ephemeral.typed[room] ?? Number.NEGATIVE_INFINITY) >= TYPING_EVERY_MS;

/** After a lost connection nobody knows what was said on it. */
export const interrupted = (ephemeral: Ephemeral): Ephemeral => ({ ...ephemeral, asked: null, typed: {} });
