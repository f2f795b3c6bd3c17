/**
 * Received frames that wait to be processed, in order. Bounded in processing time per turn, so that
 * the user can act in between, and in the size of the queue. Independent of the chat.
 */

/**
 * The most characters in the queue: some thousands of frames. A client that is so far behind should
 * reconnect and ask for what is missing.
 */
export const MOST_WAITING = 2_000_000;

export class Inbox {
  #texts: string[] = [];
  #at = 0;
  #waiting = 0;

  constructor(
    readonly take: (text: string) => void,
    readonly now: () => number = () => performance.now(),
  ) {}

  /** Add a frame. Return false if the queue exceeds its limit. */
  add(text: string): boolean {
    this.#texts.push(text);
    this.#waiting += text.length;
    return this.#waiting <= MOST_WAITING;
  }

  /**
   * Process at least one frame, and no more once `ms` have passed. Return true if frames are left.
   */
  run(ms: number): boolean {
    const end = this.now() + ms;
    // `take` may call `run` again; then the rest is processed when it returns.
    for (let text = this.#next(); text !== undefined; text = this.now() < end ? this.#next() : undefined) this.take(text);
    return this.#at < this.#texts.length;
  }

  #next(): string | undefined {
    const text = this.#texts[this.#at];
    if (text === undefined) {
      [this.#texts, this.#at] = [[], 0];
      return undefined;
    }
    this.#at += 1;
    this.#waiting -= text.length;
    return text;
  }
}
