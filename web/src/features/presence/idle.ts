/** Detects whether the user is at this window: idle after five minutes without input. */

export const IDLE_MS = 5 * 60_000;
/**
 * Events that only a user causes, apart from a moving pointer. Dictation and assistive technology
 * send only `input` and `click`.
 */
export const SIGNS = ["pointerdown", "keydown", "wheel", "touchstart", "touchmove", "input", "click"] as const;

/**
 * Call `notify` when the user becomes idle or active. Return a function that stops. Frequent events
 * only record the time.
 */
export function watchIdle(notify: (idle: boolean) => void): () => void {
  const ends = new AbortController();
  let lastAt = Date.now();
  let idle = false;
  let timer = setTimeout(look, IDLE_MS);

  function look(): void {
    const left = lastAt + IDLE_MS - Date.now();
    if (left > 0) timer = setTimeout(look, left);
    else notify((idle = true));
  }

  function noticed(): void {
    lastAt = Date.now();
    if (!idle) return;
    notify((idle = false));
    timer = setTimeout(look, IDLE_MS);
  }

  for (const sign of [...SIGNS, "pointermove"]) addEventListener(sign, noticed, { capture: true, passive: true, signal: ends.signal });
  // A hidden window gets no other events. A window that becomes visible was brought to the front by
  // the user.
  document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && noticed(), { signal: ends.signal });
  return () => {
    clearTimeout(timer);
    ends.abort();
  };
}
