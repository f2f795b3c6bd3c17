/**
 * Input methods (IME) use Enter, Escape, arrows and Backspace themselves. Every handler of such keys
 * in a field asks here first.
 */

/** The `keyCode` while an input method handles the key (UI Events, section 7.3). */
const PROCESSED = 229;

/**
 * True if the key belongs to an input method. Safari ends the composition before the `keydown` of
 * the Enter that confirmed it, and only the key code tells.
 */
export const composes = (event: KeyboardEvent): boolean => event.isComposing || event.keyCode === PROCESSED;
