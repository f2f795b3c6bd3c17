/** Permalinks of rooms and messages: the part of the address after `#`. Pure. */

export interface RoomAddress {
  readonly room: number;
  /** The message's seq. */
  readonly message?: number;
}

export function parsePermalink(hash: string): RoomAddress | null {
  const found = /^#room\/(\d{1,16})(?:\/(\d{1,16}))?$/.exec(hash);
  if (!found) return null;
  const room = Number(found[1]);
  return found[2] === undefined ? { room } : { room, message: Number(found[2]) };
}

/** Return the permalink of a message, as the fragment of this page's address. */
export const permalink = (room: number, message: number): string => `#room/${room}/${message}`;
