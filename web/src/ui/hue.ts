/**
 * One of eight hues per user, always the same. Neighbouring ids may differ in any bit, hence a real
 * hash.
 */

export const HUES = 8;

/** FNV-1a over the digits; its upper bits are the well-mixed ones. */
export function hueOf(id: number): number {
  let hash = 0x811c9dc5;
  for (const digit of String(id)) hash = Math.imul(hash ^ digit.charCodeAt(0), 0x01000193);
  return (hash >>> 11) % HUES;
}
