/**
 * Exponential backoff with full jitter: a random wait between zero and a ceiling that doubles each
 * time.
 */

export const FIRST_CEILING_MS = 500;
export const LAST_CEILING_MS = 30_000;

/** Milliseconds to wait before attempt number `attempt` (0 for the first retry); `random` is in [0, 1). */
export function backoff(attempt: number, random: number): number {
  const ceiling = Math.min(LAST_CEILING_MS, FIRST_CEILING_MS * 2 ** Math.min(attempt, 16));
  return Math.round(ceiling * random);
}
