/** Keys that name one wish of this client for ever, so that asking twice is asking once. */

/** 128 random bits. (`crypto.randomUUID` exists in secure contexts only; plain http on a local network is none.) */
export function randomKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
