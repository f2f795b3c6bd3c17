/**
 * What has been heard and waits to be taken in, in order. It is bounded twice: in how long it takes at a time, so that
 * the person has a turn between, and in how much may wait. Knows no chat.
 */

/** In characters: some thousands of frames. Whoever is so far behind does better to come back and ask for what he lacks. */
export const MOST_WAITING = 2_000_000;

export class Inbox {
  #texts: string[] = [];
  #at = 0;
  #waiting = 0;

  constructor(
    readonly take: (text: string) => void,
    readonly now: () => number = () => performance.now(),
  ) {}

  /** False if more waits than may. */
  add(text: string): boolean {
    this.#texts.push(text);
    this.#waiting += text.length;
    return this.#waiting <= MOST_WAITING;
  }

  /** Take in what waits, one at least, and no more once `ms` are over. True if something is left. */
  run(ms: number): boolean {
    const end = this.now() + ms;
    // Whatever takes one in may come here again: then the rest is done by the time it returns.
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
