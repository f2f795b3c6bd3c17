/**
 * What is typed or pasted while no field has the focus goes to the composer: a click leaves the focus nowhere in particular.
 * Keys that navigate, Space and Enter stay where the focus is; letters too, at a message that the user went to by keyboard.
 */
const FIELDS = "input, textarea, select, [contenteditable]";
/** What has keys of its own. */
const OPEN = "dialog[open], [role=menu]:popover-open, [role=dialog]";
const MESSAGE = ".timeline-row > article";
const MOVES: ReadonlySet<string> = new Set(["Tab", "Enter", "ArrowUp", "ArrowDown", "ArrowLeft", "ArrowRight", "Home", "End", "PageUp", "PageDown"]);
/** Space presses buttons and scrolls; the question mark shows the keys. */
const OTHERS: ReadonlySet<string> = new Set([" ", "?"]);
/** What `keyCode` is while an input method has the key (UI Events, section 7.3). */
const COMPOSING = 229;

/** True while the user moves by keyboard, and not by mouse or finger. */
let byKeys = false;

/** Sends what is typed to this field until the answer is called. */
export function typeAnywhere(field: HTMLTextAreaElement): () => void {
  const ends = new AbortController();
  const options = { capture: true, signal: ends.signal };
  document.addEventListener("pointerdown", () => void (byKeys = false), options);
  document.addEventListener("keydown", keyed, options);
  document.addEventListener("paste", pasted, options);
  return () => ends.abort();

  // The browser sends the character to what has the focus after this; a dead key, too, begins in the field.
  function keyed(event: KeyboardEvent): void {
    if (MOVES.has(event.key)) byKeys = true;
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

/** AltGr types, and is Ctrl and Alt together on some systems. */
function types(event: KeyboardEvent): boolean {
  if (event.defaultPrevented || event.isComposing || event.keyCode === COMPOSING || event.metaKey) return false;
  if ((event.ctrlKey || event.altKey) && !event.getModifierState("AltGraph")) return false;
  return event.key === "Dead" || ([...event.key].length === 1 && !OTHERS.has(event.key));
}

/** No other field has the focus, and nothing is open that has keys of its own. */
function isFree(field: HTMLElement): boolean {
  return !document.activeElement?.closest(FIELDS) && !document.querySelector(OPEN) && field.checkVisibility();
}
