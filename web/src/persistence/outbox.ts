/**
 * Messages on their way out, kept until the server has them. All windows of a browser share them: whichever is connected
 * sends them, and if two do, their keys make one message of it. Each has an entry of its own, so that no window ever
 * writes over what another one has written.
 */
import { waiting, type Outbox, type Outgoing } from "../sync/outbox";
import { keys, nameOf, ofBrowser, read, write } from "./storage";

/** So long a window that is connected leaves it to the one in which a message was written to send it. */
export const GRACE_MS = 5_000;

export interface OutboxEvents {
  /** Written by another window, or before this one was there. */
  found(outbox: Outbox): void;
  /** Another window has sent it or thrown it away. */
  gone(key: string): void;
  isConnected(): boolean;
}

export class StoredOutbox {
  readonly #ended = new AbortController();
  /** What is kept of each, by its key. */
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
      // What the browser does not take is offered again with the next change.
      this.#known.set(key, write(ofBrowser(), this.#place(key), now) ? now : "");
    }
    for (const key of this.#known.keys()) {
      if (unsent.has(key)) continue;
      this.#known.delete(key);
      write(ofBrowser(), this.#place(key), null);
    }
  }

  /** Take in what is kept and not known here. */
  look = (): void => {
    if (this.#ended.signal.aborted) return;
    const here = this.#place("");
    const others = keys(ofBrowser(), here).map((place) => place.slice(here.length)).filter((key) => !this.#known.has(key));
    const found = others.flatMap((key) => parsed(key, read(ofBrowser(), here + key)));
    for (const one of found) this.#known.set(one.key, JSON.stringify(one));
    if (found.length) this.events.found(found.sort((a, b) => a.at - b.at));
  };

  stop(): void {
    this.#ended.abort();
  }

  #changed = ({ key, newValue }: StorageEvent): void => {
    const here = nameOf(this.#place(""));
    if (!key?.startsWith(here)) return;
    if (newValue === null) {
      const gone = key.slice(here.length);
      if (this.#known.delete(gone)) this.events.gone(gone);
    } else if (this.events.isConnected()) setTimeout(this.look, GRACE_MS);
    else this.look();
  };

  #place(key: string): string {
    return `outbox.${this.user}.${key}`;
  }
}

/** Without what is true of this connection only: what was refused waits for its author, also after a reload. */
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
