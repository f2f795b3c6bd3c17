/** What is true for a moment: who is here and how, and who is writing; and what one has chosen to appear as. Pure. */
import type { PresenceChanged, Presence, UserTyping, Status } from "../contract";
import type { StatusChanged } from "./events";
import { without, type State } from "./state";

/** So long somebody writes who has said so once. */
export const TYPING_MS = 5_000;

export interface Typist {
  readonly user: number;
  readonly name: string;
  /** Milliseconds since 1970. */
  readonly until: number;
}

/** Kept by nobody: a new page knows nothing of it. */
export interface Signals {
  readonly people: Readonly<Record<number, Presence>>;
  /** By room, who began first comes first. */
  readonly typing: Readonly<Record<number, readonly Typist[]>>;
}

export const quiet: Signals = { people: {}, typing: {} };
export const ONLINE: Status = { status: "online" };

/** `all`: of those whom it does not name nothing is known any more. */
export function signalled(signals: Signals, signal: UserTyping | PresenceChanged, all: boolean, now: number): Signals {
  if (signal.type === "typing") return typed(signals, signal, now);
  const people = Object.fromEntries(signal.people.map((presence) => [presence.user, presence]));
  return { ...signals, people: all ? people : { ...signals.people, ...people } };
}

function typed(signals: Signals, { room, user, name }: UserTyping, now: number): Signals {
  const until = now + TYPING_MS;
  const before = typists(signals, room, now);
  const known = before.some((one) => one.user === user);
  const after = known ? before.map((one) => (one.user === user ? { ...one, until } : one)) : [...before, { user, name, until }];
  return { ...signals, typing: { ...signals.typing, [room]: after } };
}

/** What somebody was writing has arrived. */
export function spoken(signals: Signals, room: number, user: number): Signals {
  const { [room]: before } = signals.typing;
  if (!before?.some((one) => one.user === user)) return signals;
  const after = before.filter((one) => one.user !== user);
  return { ...signals, typing: after.length > 0 ? { ...signals.typing, [room]: after } : without(signals.typing, room) };
}

export function typists(signals: Signals, room: number, now: number): readonly Typist[] {
  return (signals.typing[room] ?? []).filter(({ until }) => until > now);
}

/** What one has chosen, on whatever device. */
export function statusChanged(state: State, event: StatusChanged): State {
  return event.seq <= state.own ? state : { ...state, own: event.seq, status: event.chosen };
}

/** What is left of what was chosen: it has an end. */
export function current(chosen: Status, now: number): Status {
  return chosen.until !== undefined && Date.parse(chosen.until) <= now ? ONLINE : chosen;
}
