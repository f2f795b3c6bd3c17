/**
 * Messages on their way out, kept until the server has them. Every window sends what was written in it; what a window
 * that is gone has left behind goes to one that is there. A window shows that it is there by a lock it holds (Web Locks).
 */
import { randomKey } from "../net/keys";
import type { Outbox } from "../sync/outbox";
import { keys, ofBrowser, read, write } from "./storage";

export class KeptOutbox {
  readonly #window = randomKey();
  readonly #ended = new AbortController();
  readonly #awaited = new Set<string>();

  constructor(
    readonly user: number,
    /** Somebody else's, who is gone: now ours. */
    readonly inherit: (outbox: Outbox) => void,
    /** Missing where the page did not come over a safe connection. */
    readonly locks: LockManager | undefined = navigator.locks,
  ) {
    const held = (): Promise<void> => new Promise((release) => this.#ended.signal.addEventListener("abort", () => release()));
    void this.locks?.request(this.#lock(this.#key), { signal: this.#ended.signal }, held).catch(() => {});
  }

  save(outbox: Outbox): void {
    const unsent = outbox.filter((one) => one.status !== "sent");
    write(ofBrowser(), this.#key, unsent.length ? JSON.stringify(unsent) : null);
  }

  /** Look for what others have left, now and whenever one of those that are there goes. */
  look(): void {
    for (const key of keys(ofBrowser(), `outbox.${this.user}.`)) {
      if (key === this.#key || this.#awaited.has(key)) continue;
      // Without locks it may be that both of us send it. It has one key, so it arrives once.
      if (!this.locks) this.#take(key);
      else {
        this.#awaited.add(key);
        const taken = (): void => void (this.#awaited.delete(key), this.#take(key));
        void this.locks.request(this.#lock(key), { signal: this.#ended.signal }, taken).catch(() => {});
      }
    }
  }

  /** From now on this window is gone. */
  stop(): void {
    this.#ended.abort();
  }

  get #key(): string {
    return `outbox.${this.user}.${this.#window}`;
  }

  #lock(key: string): string {
    return `hubbub ${key}`;
  }

  #take(key: string): void {
    const found = parsed(read(ofBrowser(), key));
    write(ofBrowser(), key, null);
    if (found.length) this.inherit(found);
  }
}

function parsed(text: string | null): Outbox {
  try {
    const kept = JSON.parse(text ?? "[]") as Outbox;
    return kept.map(({ key, room, body, at }) => ({ key, room, body, at, status: "waiting" }));
  } catch {
    return [];
  }
}
