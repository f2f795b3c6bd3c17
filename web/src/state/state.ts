/** Everything the screens show, as one immutable value. */
import { MAX_BODY_BYTES, MAX_BODY_CHARACTERS } from "../limits";
import type { Changes } from "./changes";
import type { Status } from "../contract";
import type { Ban, MessageLimits, Member, Room, Session, User } from "./model";
import type { MessageItem, Timeline } from "./timeline";

export interface State {
  readonly me: User;
  readonly limits: MessageLimits;
  /** The user's chosen status. */
  readonly status: Status;
  /** The user's rooms. */
  readonly rooms: Readonly<Record<number, Room>>;
  /** Timelines of opened rooms. */
  readonly timelines: Readonly<Record<number, Timeline>>;
  readonly members: Readonly<Record<number, readonly Member[]>>;
  /** Banned users, of rooms whose bans were opened. */
  readonly bans: Readonly<Record<number, readonly Ban[]>>;
  /** Pins, the newest first, of rooms whose pins were opened. */
  readonly pins: Readonly<Record<number, readonly PinItem[]>>;
  /** The newest applied seq of the user's own topic. */
  readonly own: number;
  /** Local read positions, until the server confirms them. */
  readonly reading: Readonly<Record<number, number>>;
  /** Recent changes by room, for answers that arrive late. */
  readonly changes: Readonly<Record<number, Changes>>;
  /** All visible rooms, once opened. */
  readonly directory: readonly Room[] | null;
  /** The user's sessions, once opened. */
  readonly sessions: readonly Session[] | null;
  /** The room from which the user was just removed, until they dismiss the notice. */
  readonly gone: Gone | null;
  /**
   * The names of rooms that the user is no longer in since the last connection; the reason arrives
   * after the welcome.
   */
  readonly former: Readonly<Record<number, string>>;
}

export interface Gone {
  readonly room: number;
  readonly name: string;
  readonly why: "removed" | "banned";
  readonly reason?: string;
}

export interface PinItem {
  /** The seq of the pin event. */
  readonly seq: number;
  readonly message: MessageItem;
  readonly by: number;
  readonly name: string;
  readonly at: string;
}

export function initial(me: User): State {
  return {
    me,
    limits: { body: MAX_BODY_BYTES, characters: MAX_BODY_CHARACTERS },
    status: { status: "online" },
    rooms: {},
    timelines: {},
    members: {},
    bans: {},
    pins: {},
    own: 0,
    reading: {},
    changes: {},
    directory: null,
    sessions: null,
    gone: null,
    former: {},
  };
}

export function without<T>(record: Readonly<Record<number, T>>, key: number): Record<number, T> {
  const { [key]: _, ...rest } = record;
  return rest;
}
