/** Everything the screens show, as one immutable value. */
import type { Changes } from "./changes";
import type { Status } from "../contract";
import type { Ban, Limits, Member, Room, Session, User } from "./model";
import type { MessageItem, Timeline } from "./timeline";

export interface State {
  readonly me: User;
  readonly limits: Limits;
  /** How one has chosen to appear. */
  readonly status: Status;
  /** The rooms one is in. */
  readonly rooms: Readonly<Record<number, Room>>;
  /** Rooms that were looked at. */
  readonly timelines: Readonly<Record<number, Timeline>>;
  readonly members: Readonly<Record<number, readonly Member[]>>;
  /** Who may not come in, of rooms where one looked. */
  readonly bans: Readonly<Record<number, readonly Ban[]>>;
  /** What is pinned in rooms whose pins were looked at, the newest first. */
  readonly pins: Readonly<Record<number, readonly PinItem[]>>;
  /** The newest seq of one's own log that is in this. */
  readonly own: number;
  /** How far one has read here, as long as the server has not said so. */
  readonly reading: Readonly<Record<number, number>>;
  /** What has changed lately in rooms, for answers that arrive late. */
  readonly changes: Readonly<Record<number, Changes>>;
  /** All rooms one may see, once looked at. */
  readonly directory: readonly Room[] | null;
  /** One's own sessions, once looked at. */
  readonly sessions: readonly Session[] | null;
  /** The room somebody has just sent one away from, until one has taken note. */
  readonly gone: Gone | null;
  /** The names of rooms that one is in no longer since the last connection; why, is told after the welcome. */
  readonly former: Readonly<Record<number, string>>;
}

export interface Gone {
  readonly room: number;
  readonly name: string;
  readonly why: "removed" | "banned";
  readonly reason?: string;
}

export interface PinItem {
  /** The seq of the pinning. */
  readonly seq: number;
  readonly message: MessageItem;
  readonly by: number;
  readonly name: string;
  readonly at: string;
}

export function initial(me: User): State {
  return {
    me,
    limits: { body: 16_384, characters: 8_000 },
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
