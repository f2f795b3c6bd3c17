/** The effects of the user's session events on the state. Pure. */
import type { SessionClosed, SessionOpened } from "./events";
import type { State } from "./state";

export function sessionOpened(state: State, { session, details }: SessionOpened): State {
  if (!state.sessions || state.sessions.some((known) => known.id === session)) return state;
  return { ...state, sessions: [...state.sessions, { ...details, current: false }] };
}

export function sessionClosed(state: State, { session }: SessionClosed): State {
  if (!state.sessions) return state;
  return { ...state, sessions: state.sessions.filter((known) => known.id !== session) };
}
