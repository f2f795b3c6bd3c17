/** Idempotency keys: a repeated command with the same key runs once. */

/** Makes keys for attempts that may be repeated: the same request has the same key until it is done. */
export class AttemptKeys {
  #tried = { wanted: "", key: "" };

  of(wanted: object): string {
    const words = JSON.stringify(wanted);
    if (this.#tried.wanted !== words) this.#tried = { wanted: words, key: randomKey() };
    return this.#tried.key;
  }

  done(): void {
    this.#tried = { wanted: "", key: "" };
  }
}

/**
 * Return 128 random bits in hex. (`crypto.randomUUID` exists in secure contexts only, and plain
 * http on a local network is not one.)
 */
export function randomKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
