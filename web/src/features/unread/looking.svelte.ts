/**
 * Whether the user looks at this window; only then a message counts as read (docs/adr/0015). The window is visible, has
 * the focus, and the user has given a sign within the last minute. That the page was loaded is no sign: browsers load
 * pages by themselves.
 */
import { SIGNS } from "../presence/idle";

/** A screenful of messages takes about a minute to read; a user who reads on touches something by then. */
export const UNTOUCHED_MS = 60_000;

export class Looking {
  /** Changes a moment late after the computer slept: to decide whether something is read, call `is`. */
  now: boolean = $state(false);
  #signAt = Number.NEGATIVE_INFINITY;
  #pointer: string | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** Follows the user until the answer is called. */
  start(): () => void {
    const ends = new AbortController();
    const options = { capture: true, passive: true, signal: ends.signal };
    for (const sign of SIGNS) addEventListener(sign, this.#signed, options);
    addEventListener("pointermove", this.#pointed, options);
    addEventListener("focus", (event) => event.target === window && this.sign(), options);
    addEventListener("blur", (event) => event.target === window && this.#look(), options);
    document.addEventListener("visibilitychange", () => (document.visibilityState === "visible" ? this.sign() : this.#look()), options);
    return () => {
      ends.abort();
      clearTimeout(this.#timer);
      this.#signAt = Number.NEGATIVE_INFINITY;
      this.now = false;
    };
  }

  is(): boolean {
    return document.visibilityState === "visible" && document.hasFocus() && Date.now() - this.#signAt < UNTOUCHED_MS;
  }

  /** The user has done something in this window. */
  sign(): void {
    this.#signAt = Date.now();
    this.#look();
  }

  #signed = (): void => this.sign();

  /** Browsers report a pointer that rests when what is below it moves: that is no sign. */
  #pointed = ({ screenX, screenY }: PointerEvent): void => {
    const at = `${screenX} ${screenY}`;
    const moved = this.#pointer !== null && this.#pointer !== at;
    this.#pointer = at;
    if (moved) this.sign();
  };

  #look = (): void => {
    clearTimeout(this.#timer);
    this.now = this.is();
    if (this.now) this.#timer = setTimeout(this.#look, this.#signAt + UNTOUCHED_MS - Date.now());
  };
}

/** There is one window, and so one of these. */
export const looking = new Looking();
