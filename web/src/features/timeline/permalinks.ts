/** Addresses of rooms and of messages in them: what follows `#`. Pure. */

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

/** The permalink of a message, to be set as an address of this page. */
export const permalink = (room: number, message: number): string => `#room/${room}/${message}`;
