/** Signals that are never stored: presence and typing; and the user's own status. Pure. */
import type { PresenceChanged, Presence, UserTyping, Status } from "../contract";
import type { StatusChanged } from "./events";
import { without, type State } from "./state";

/** How long a typing signal lasts. */
export const TYPING_MS = 5_000;

export interface Typist {
  readonly user: number;
  readonly name: string;
  /** Milliseconds since 1970. */
  readonly until: number;
}

/** Never stored: a new page starts without signals. */
export interface Signals {
  readonly people: Readonly<Record<number, Presence>>;
  /** By room; the user who started first comes first. */
  readonly typing: Readonly<Record<number, readonly Typist[]>>;
}

export const quiet: Signals = { people: {}, typing: {} };
export const ONLINE: Status = { status: "online" };

/** Apply a signal. `all`: users it does not name are unknown from now on. */
export function signalled(signals: Signals, signal: UserTyping | PresenceChanged, all: boolean, now: number): Signals {
  if (signal.type === "typing") return typed(signals, signal, now);
  const people = Object.fromEntries(signal.presences.map((presence) => [presence.user, presence]));
  return { ...signals, people: all ? people : { ...signals.people, ...people } };
}

function typed(signals: Signals, { room, by: user, name }: UserTyping, now: number): Signals {
  const until = now + TYPING_MS;
  const before = typists(signals, room, now);
  const known = before.some((one) => one.user === user);
  const after = known ? before.map((one) => (one.user === user ? { ...one, until } : one)) : [...before, { user, name, until }];
  return { ...signals, typing: { ...signals.typing, [room]: after } };
}

/** The message that a user was typing has arrived. */
export function spoken(signals: Signals, room: number, user: number): Signals {
  const { [room]: before } = signals.typing;
  if (!before?.some((one) => one.user === user)) return signals;
  const after = before.filter((one) => one.user !== user);
  return { ...signals, typing: after.length > 0 ? { ...signals.typing, [room]: after } : without(signals.typing, room) };
}

export function typists(signals: Signals, room: number, now: number): readonly Typist[] {
  return (signals.typing[room] ?? []).filter(({ until }) => until > now);
}

/** The user has changed their status, on any device. */
export function statusChanged(state: State, event: StatusChanged): State {
  return event.seq <= state.own ? state : { ...state, own: event.seq, status: event.status };
}

/** Return the status as it is now: it may have ended. */
export function current(chosen: Status, now: number): Status {
  return chosen.until !== undefined && Date.parse(chosen.until) <= now ? ONLINE : chosen;
}
