/**
 * Keeps one connection open: connect, detect silence, reconnect. A pure state machine, (state,
 * input) → [state, effects]. Independent of sockets and the chat.
 */
import { backoff } from "./backoff";

/** After this much silence the client sends a ping … */
export const SILENCE_MS = 25_000;
/** … and gives up if no frame has arrived after this time. */
export const ANSWER_MS = 10_000;
/** A connection attempt that takes longer is abandoned. */
export const CONNECT_MS = 10_000;

export type Phase = "idle" | "connecting" | "open" | "waiting" | "stopped";

export interface LinkState {
  readonly phase: Phase;
  /** Attempts since the connection was last good. */
  readonly attempt: number;
  /** When `waiting`: the time of the next attempt. */
  readonly retryAt: number;
  readonly heardAt: number;
  /** When a ping waits for its answer: when it was sent. */
  readonly askedAt: number | null;
  /** When `stopped`: the close code that said to stay away. */
  readonly code: number;
}

export type LinkInput =
  | { type: "start" }
  | { type: "opened" }
  | { type: "heard" }
  /** The server proved to work: the next failure starts with short waits again. */
  | { type: "settled" }
  | { type: "closed"; code: number; reason: string; random: number }
  | { type: "timer" }
  /** The user or the system reports a good time to connect. */
  | { type: "wake" }
  /** Drop this connection and open a new one at once. */
  | { type: "restart" }
  | { type: "stop" };

export type LinkEffect =
  | { type: "open" }
  | { type: "ping" }
  /** Close the socket and ignore its further events. */
  | { type: "drop" }
  | { type: "opened" }
  | { type: "lost" }
  /** There is one timer; setting it replaces it. */
  | { type: "timer"; at: number }
  | { type: "no timer" };

export type LinkStep = [LinkState, LinkEffect[]];

export const idle: LinkState = { phase: "idle", attempt: 0, retryAt: 0, heardAt: 0, askedAt: null, code: 0 };

export function stepLink(state: LinkState, input: LinkInput, now: number): LinkStep {
  switch (input.type) {
    case "start":
      return state.phase === "idle" || state.phase === "stopped" ? connect({ ...state, attempt: 0 }, now) : [state, []];
    case "opened":
      return state.phase === "connecting" ? opened(state, now) : [state, []];
    case "heard":
      return state.phase === "open" ? [{ ...state, heardAt: now, askedAt: null }, []] : [state, []];
    case "settled":
      return [{ ...state, attempt: 0 }, []];
    case "closed":
      return closed(state, input, now);
    case "timer":
      return timer(state, now);
    case "wake":
      return wake(state, now);
    case "restart":
      return restart(state, now);
    case "stop":
      return [{ ...idle, attempt: state.attempt }, [{ type: "no timer" }, { type: "drop" }, ...lost(state)]];
  }
}

function connect(state: LinkState, now: number): LinkStep {
  return [{ ...state, phase: "connecting", askedAt: null, code: 0 }, [{ type: "open" }, { type: "timer", at: now + CONNECT_MS }]];
}

function opened(state: LinkState, now: number): LinkStep {
  return [{ ...state, phase: "open", heardAt: now, askedAt: null }, [{ type: "opened" }, { type: "timer", at: now + SILENCE_MS }]];
}

function closed(state: LinkState, input: { code: number; reason: string; random: number }, now: number): LinkStep {
  if (state.phase !== "connecting" && state.phase !== "open") return [state, []];
  // RFC 6455, section 7.4.2: 4000–4999 are private use. 45xx means do not reconnect; after any
  // other code reconnect.
  if (input.code >= 4500 && input.code < 4600) {
    return [{ ...state, phase: "stopped", code: input.code }, [{ type: "no timer" }, { type: "drop" }, ...lost(state)]];
  }
  const wait = input.code === 4000 ? (askedToWait(input.reason) ?? null) : null;
  const retryAt = now + (wait ?? backoff(state.attempt, input.random));
  return [
    { ...state, phase: "waiting", attempt: state.attempt + 1, retryAt, askedAt: null, code: input.code },
    [{ type: "drop" }, ...lost(state), { type: "timer", at: retryAt }],
  ];
}

function lost(state: LinkState): LinkEffect[] {
  return state.phase === "open" ? [{ type: "lost" }] : [];
}

/**
 * Return the milliseconds in a close reason like `{"retry_after": 2.3}`; null if there are none.
 */
function askedToWait(reason: string): number | null {
  try {
    const parsed: unknown = JSON.parse(reason);
    if (typeof parsed !== "object" || parsed === null || !("retry_after" in parsed)) return null;
    const seconds = parsed.retry_after;
    return typeof seconds === "number" && seconds >= 0 ? Math.min(seconds, 300) * 1000 : null;
  } catch {
    return null;
  }
}

function timer(state: LinkState, now: number): LinkStep {
  if (state.phase === "waiting") return connect(state, now);
  if (state.phase === "connecting") return closed(state, { code: 1006, reason: "", random: 0.5 }, now);
  return state.phase === "open" ? listen(state, now) : [state, []];
}

function listen(state: LinkState, now: number): LinkStep {
  if (state.askedAt !== null) {
    const left = state.askedAt + ANSWER_MS - now;
    if (left > 0) return [state, [{ type: "timer", at: now + left }]];
    return closed(state, { code: 1006, reason: "", random: 0 }, now);
  }
  const left = state.heardAt + SILENCE_MS - now;
  if (left > 0) return [state, [{ type: "timer", at: now + left }]];
  return [{ ...state, askedAt: now }, [{ type: "ping" }, { type: "timer", at: now + ANSWER_MS }]];
}

function wake(state: LinkState, now: number): LinkStep {
  if (state.phase === "waiting") return connect(state, now);
  // After a sleep the timers are late: ping now rather than trust an old connection.
  if (state.phase === "open" && state.askedAt === null) {
    return [{ ...state, askedAt: now }, [{ type: "ping" }, { type: "timer", at: now + ANSWER_MS }]];
  }
  return [state, []];
}

function restart(state: LinkState, now: number): LinkStep {
  if (state.phase !== "open") return [state, []];
  const [next, effects] = connect(state, now);
  return [next, [{ type: "drop" }, { type: "lost" }, ...effects]];
}
