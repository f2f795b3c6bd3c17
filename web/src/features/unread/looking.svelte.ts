/**
 * Whether the user looks at this window; only then a message counts as read (docs/adr/0015). The
 * window is visible, has the focus, and had input within the last minute. Loading the page is no
 * input: browsers load pages by themselves.
 */
import { SIGNS } from "../presence/idle";

/** A screenful of messages takes about a minute to read; a reader touches something by then. */
export const UNTOUCHED_MS = 60_000;

export class Looking {
  /** Reacts late after the computer slept: to decide whether something is read, call `is`. */
  now: boolean = $state(false);
  #signAt = Number.NEGATIVE_INFINITY;
  #pointer: string | null = null;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** Track the user. Return a function that stops. */
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

  /** Browsers report a resting pointer when the content below it moves: that is no input. */
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

/** The only instance: there is one window. */
export const looking = new Looking();
