/**
 * Stores snapshots from time to time, when the browser is idle, and when the user leaves the page.
 */
import * as database from "./database";
import type { Snapshot } from "./snapshot";

const SOON_MS = 1_000;
/** The least interval in a flood of changes: each snapshot is written as a whole. */
const EVERY_MS = 10_000;
const LATEST_MS = 2_000;

export class SnapshotWriter {
  readonly #claim: Promise<string>;
  #recent: readonly number[];
  #timer: ReturnType<typeof setTimeout> | undefined;
  #stopped = false;
  #savedAt = Number.NEGATIVE_INFINITY;

  constructor(
    user: number,
    /** The rooms the user was in last time, the last one first. */
    recent: readonly number[],
    /** Returns the present snapshot, or null if none may be stored. */
    readonly take: (recent: readonly number[]) => Snapshot | null,
  ) {
    this.#recent = recent;
    this.#moved();
    this.#claim = database.claim(user);
    this.#claim.catch(() => (this.#stopped = true));
    addEventListener("hashchange", this.#moved);
    document.addEventListener("visibilitychange", this.#leaving);
  }

  /** The state has changed: store a snapshot soon. */
  changed(): void {
    if (this.#stopped || this.#timer !== undefined) return;
    this.#timer = setTimeout(this.#soon, Math.max(SOON_MS, this.#savedAt + EVERY_MS - performance.now()));
  }

  /** Content must no longer be shown: store a snapshot at once. */
  lost(): void {
    if (!this.#stopped) void this.#save();
  }

  stop(): void {
    this.#stopped = true;
    clearTimeout(this.#timer);
    removeEventListener("hashchange", this.#moved);
    document.removeEventListener("visibilitychange", this.#leaving);
  }

  #soon = (): void => {
    if (typeof requestIdleCallback === "undefined") void this.#save();
    else requestIdleCallback(() => void this.#save(), { timeout: LATEST_MS });
  };

  #moved = (): void => {
    const room = Number(/^#room\/(\d+)/.exec(location.hash)?.[1]);
    if (room) this.#recent = [room, ...this.#recent.filter((one) => one !== room)];
  };

  #leaving = (): void => {
    if (document.visibilityState === "hidden") void this.#save();
  };

  async #save(): Promise<void> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#savedAt = performance.now();
    try {
      const token = await this.#claim;
      const snapshot = this.#stopped ? null : this.take(this.#recent);
      if (!snapshot) return;
      if (!(await database.save(token, snapshot))) this.stop();
    } catch {
      this.stop(); // Storage is full or broken; everything else works.
    }
  }
}
