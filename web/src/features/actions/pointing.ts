/** Where mouse, finger and focus are in the list of messages, and what opens the menu. */
import type { MessageActions } from "./message_actions.svelte";
import { rowOf, seqOf } from "./rows";

const LONG_MS = 480;
/** A finger that goes farther scrolls. */
const STILL_PX = 10;
/** There the browser's own menu has more to offer. */
const OWN = "a[href]:not(.quote), input, textarea, select, img, video";

/** Follows them until the answer is called. */
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
  // A moment later: what has the focus may go because Svelte takes it away just now, and then nothing may be changed.
  // On its way from one stop to the next the focus is nowhere: the next one must not go for that.
  on("focusout", ({ relatedTarget }) => {
    queueMicrotask(() => {
      if (!list.contains(relatedTarget as Node | null) && !list.contains(document.activeElement)) actions.focused = null;
    });
  });
  on("contextmenu", (event) => {
    const seq = at(event);
    // Whoever has marked a text wants to do something with that; and Shift asks for the browser's own menu.
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

/** A finger that stays where it is. Browsers that tell of it themselves (`contextmenu`) come later or not at all. */
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
