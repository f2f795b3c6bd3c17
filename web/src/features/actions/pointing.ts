/** Tracks pointer and focus in the message list, and opens the menu. */
import type { MessageActions } from "./message_actions.svelte";
import { rowOf, seqOf } from "./rows";

const LONG_MS = 480;
/** A finger that moves farther is scrolling. */
const STILL_PX = 10;
/** On these elements the browser's own context menu is more useful. */
const OWN = "a[href]:not(.quote), input, textarea, select, img, video";

/** Track pointer and focus. Return a function that stops. */
export function pointing(actions: MessageActions, list: HTMLElement): () => void {
  const ends = new AbortController();
  const on = <T extends keyof HTMLElementEventMap>(type: T, does: (event: HTMLElementEventMap[T]) => void): void =>
    list.addEventListener(type, does, { signal: ends.signal });
  const at = (event: Event): number | null => {
    const row = rowOf(event.target);
    return row && seqOf(row);
  };

  on("pointerover", (event) => {
    if (event.pointerType !== "touch") actions.hovered = at(event);
  });
  on("pointerleave", () => (actions.hovered = null));
  on("focusin", (event) => {
    actions.focused = (event.target as Element).matches(":focus-visible") ? at(event) : null;
  });
  // Deferred: Svelte may be removing the focused element right now, when state must not change.
  // Between two stops the focus is nowhere for a moment, and the toolbar with the next stop must
  // stay.
  on("focusout", ({ relatedTarget }) => {
    queueMicrotask(() => {
      if (!list.contains(relatedTarget as Node | null) && !list.contains(document.activeElement)) actions.focused = null;
    });
  });
  on("contextmenu", (event) => {
    const seq = at(event);
    // With a text selection the user wants the browser's menu; Shift also asks for it.
    const other = event.shiftKey || !getSelection()?.isCollapsed || (event.target as Element).closest(OWN);
    if (seq === null || other) return;
    event.preventDefault();
    press.end();
    if (actions.menu?.seq !== seq) actions.open(seq, { x: event.clientX, y: event.clientY });
  });

  const press = new Press((event, row) => actions.open(seqOf(row), { x: event.clientX, y: event.clientY }));
  on("pointerdown", (event) => {
    const row = rowOf(event.target);
    const own = (event.target as Element).closest(`button, ${OWN}`);
    if (event.pointerType === "touch" && row && !own) press.begin(event, row);
  });
  on("pointermove", (event) => press.moved(event));
  on("pointerup", () => press.end());
  on("pointercancel", () => press.end());
  return () => {
    press.end();
    ends.abort();
  };
}

/**
 * Detects a long press. Browsers that report it themselves (`contextmenu`) do so later or not at
 * all.
 */
class Press {
  #start: PointerEvent | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(readonly long: (event: PointerEvent, row: HTMLElement) => void) {}

  begin(event: PointerEvent, row: HTMLElement): void {
    this.end();
    this.#start = event;
    this.#timer = setTimeout(() => {
      this.end();
      this.long(event, row);
    }, LONG_MS);
  }

  moved(event: PointerEvent): void {
    const start = this.#start;
    if (start && Math.hypot(event.clientX - start.clientX, event.clientY - start.clientY) > STILL_PX) this.end();
  }

  end(): void {
    clearTimeout(this.#timer);
    this.#start = null;
  }
}
