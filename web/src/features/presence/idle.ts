/** Whether anybody is at this window: nobody is, once there was no sign of anybody for five minutes. */

export const IDLE_MS = 5 * 60_000;
/** What only a user causes, apart from a pointer that moves. `input` and `click` alone come from dictation and assistive technology. */
export const SIGNS = ["pointerdown", "keydown", "wheel", "touchstart", "touchmove", "input", "click"] as const;

/** Calls `tell` when that changes, until the answer is called. What happens often is only noted. */
export function attendance(tell: (idle: boolean) => void): () => void {
  const ends = new AbortController();
  let lastAt = Date.now();
  let idle = false;
  let timer = setTimeout(look, IDLE_MS);

  function look(): void {
    const left = lastAt + IDLE_MS - Date.now();
    if (left > 0) timer = setTimeout(look, left);
    else tell((idle = true));
  }

  function noticed(): void {
    lastAt = Date.now();
    if (!idle) return;
    tell((idle = false));
    timer = setTimeout(look, IDLE_MS);
  }

  for (const sign of [...SIGNS, "pointermove"]) addEventListener(sign, noticed, { capture: true, passive: true, signal: ends.signal });
  // A window that is hidden has no other signs; one that comes to the front was brought there by somebody.
  document.addEventListener("visibilitychange", () => document.visibilityState === "visible" && noticed(), { signal: ends.signal });
  return () => {
    clearTimeout(timer);
    ends.abort();
  };
}
