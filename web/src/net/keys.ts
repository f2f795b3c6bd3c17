/** Idempotency keys: a repeated command with the same key runs once. */

/**
 * Return 128 random bits in hex. (`crypto.randomUUID` exists in secure contexts only, and plain
 * http on a local network is not one.)
 */
export function randomKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
