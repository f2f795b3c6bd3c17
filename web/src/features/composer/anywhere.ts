/**
 * Send text that is typed or pasted while no field has the focus to the composer: after a click the
 * focus is on no particular element. Navigation keys, Space and Enter stay where the focus is; so
 * do letters on a message that the user reached by keyboard.
 */
import { composes } from "../../ui/input_method";

const FIELDS = "input, textarea, select, [contenteditable], [data-own-keys]";
/** Open elements that handle keys themselves. */
const OPEN = "dialog[open], [role=menu]:popover-open, [role=dialog]";
const MESSAGE = ".timeline-row > article";
const MOVES: ReadonlySet<string> = new Set([
  "Tab",
  "Enter",
  "ArrowUp",
  "ArrowDown",
  "ArrowLeft",
  "ArrowRight",
  "Home",
  "End",
  "PageUp",
  "PageDown",
]);
/** Space presses buttons and scrolls; the question mark shows the shortcuts. */
const OTHERS: ReadonlySet<string> = new Set([" ", "?"]);

/** True while the user moves by keyboard rather than by mouse or touch. */
let byKeys = false;

/** Redirect typed and pasted text to this field. Return a function that stops. */
export function typeAnywhere(field: HTMLTextAreaElement): () => void {
  const ends = new AbortController();
  const options = { capture: true, signal: ends.signal };
  document.addEventListener("pointerdown", () => void (byKeys = false), options);
  document.addEventListener("keydown", keyed, options);
  document.addEventListener("paste", pasted, options);
  return () => ends.abort();

  // The browser sends the character to the element that has the focus after this handler, also for
  // the first key of a dead-key sequence.
  function keyed(event: KeyboardEvent): void {
    if (!composes(event) && MOVES.has(event.key)) byKeys = true;
    if (!types(event) || !isFree(field) || (byKeys && document.activeElement?.matches(MESSAGE))) return;
    event.stopPropagation();
    field.focus({ preventScroll: true });
  }

  function pasted(event: ClipboardEvent): void {
    const text = event.clipboardData?.getData("text/plain");
    if (!text || !isFree(field)) return;
    event.preventDefault();
    field.focus({ preventScroll: true });
    if (document.execCommand("insertText", false, text)) return;
    field.setRangeText(text, field.selectionStart, field.selectionEnd, "end");
    field.dispatchEvent(new Event("input", { bubbles: true }));
  }
}

/** AltGr produces characters, and some systems report it as Ctrl and Alt together. */
function types(event: KeyboardEvent): boolean {
  if (event.defaultPrevented || composes(event) || event.metaKey) return false;
  if ((event.ctrlKey || event.altKey) && !event.getModifierState("AltGraph")) return false;
  return event.key === "Dead" || ([...event.key].length === 1 && !OTHERS.has(event.key));
}

/** True if no other field has the focus and nothing that handles keys is open. */
function isFree(field: HTMLElement): boolean {
  return !document.activeElement?.closest(FIELDS) && !document.querySelector(OPEN) && field.checkVisibility();
}
