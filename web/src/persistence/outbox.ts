/**
 * Outgoing messages, stored until the server has them. All windows of a browser share them: any
 * connected window sends them, and if two do, the idempotency key makes it one message. Each
 * message has its own entry, so that no window overwrites what another has stored.
 */
import { waiting, type Outbox, type Outgoing } from "../sync/outbox";
import { keys, nameOf, ofBrowser, read, write } from "./storage";

/**
 * How long a connected window waits before it sends a message that another window has written (ms).
 */
export const GRACE_MS = 5_000;

export interface OutboxEvents {
  /** Messages that another window wrote, or that were stored before this window opened. */
  found(outbox: Outbox): void;
  /** Another window has sent or discarded the message. */
  gone(key: string): void;
  isConnected(): boolean;
}

export class StoredOutbox {
  readonly #ended = new AbortController();
  /** What is stored of each message, by key. */
  readonly #known = new Map<string, string>();

  constructor(
    readonly user: number,
    readonly events: OutboxEvents,
  ) {
    addEventListener("storage", this.#changed, { signal: this.#ended.signal });
  }

  save(outbox: Outbox): void {
    const unsent = new Map(outbox.filter((one) => one.status !== "sent").map((one) => [one.key, one]));
    for (const [key, one] of unsent) {
      const now = JSON.stringify(settled(one));
      if (this.#known.get(key) === now) continue;
      // If the browser refuses to store it, the next change tries again.
      this.#known.set(key, write(ofBrowser(), this.#storageKey(key), now) ? now : "");
    }
    for (const key of this.#known.keys()) {
      if (unsent.has(key)) continue;
      this.#known.delete(key);
      write(ofBrowser(), this.#storageKey(key), null);
    }
  }

  /** Load stored messages that are not known here. */
  look = (): void => {
    if (this.#ended.signal.aborted) return;
    const prefix = this.#storageKey("");
    const others = keys(ofBrowser(), prefix)
      .map((stored) => stored.slice(prefix.length))
      .filter((key) => !this.#known.has(key));
    const found = others.flatMap((key) => parsed(key, read(ofBrowser(), prefix + key)));
    for (const one of found) this.#known.set(one.key, JSON.stringify(one));
    if (found.length) this.events.found(found.sort((a, b) => a.at - b.at));
  };

  stop(): void {
    this.#ended.abort();
  }

  #changed = ({ key, newValue }: StorageEvent): void => {
    const prefix = nameOf(this.#storageKey(""));
    if (!key?.startsWith(prefix)) return;
    if (newValue === null) {
      const gone = key.slice(prefix.length);
      if (this.#known.delete(gone)) this.events.gone(gone);
    } else if (this.events.isConnected()) setTimeout(this.look, GRACE_MS);
    else this.look();
  };

  #storageKey(key: string): string {
    return `outbox.${this.user}.${key}`;
  }
}

/**
 * Return the message without the state of this connection. Refused messages stay refused until the
 * user decides, also after a reload.
 */
function settled(one: Outgoing): Outgoing {
  return one.status === "failed" && one.error ? { ...waiting(one), status: "failed", error: one.error } : waiting(one);
}

function parsed(key: string, text: string | null): Outgoing[] {
  try {
    const found = JSON.parse(text ?? "null") as Outgoing | null;
    return found?.key === key ? [settled(found)] : [];
  } catch {
    return [];
  }
}
