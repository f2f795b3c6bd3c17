/** Everything the screens show, as one immutable value. */
import { MAX_BODY_BYTES, MAX_BODY_CHARACTERS } from "../limits";
import type { Changes } from "./changes";
import type { SiteChanges, Status } from "../contract";
import type { Ban, MessageLimits, Member, Room, Session, User } from "./model";
import type { MessageItem, Timeline } from "./timeline";

/** What is loaded room by room, and dropped together. */
interface Loaded {
  /** Timelines of opened rooms. */
  readonly timelines: Readonly<Record<number, Timeline>>;
  readonly members: Readonly<Record<number, readonly Member[]>>;
  /** Banned users, of rooms whose bans were opened. */
  readonly bans: Readonly<Record<number, readonly Ban[]>>;
  /** Pins, the newest first, of rooms whose pins were opened. */
  readonly pins: Readonly<Record<number, readonly PinItem[]>>;
  /** Recent changes by room, for answers that arrive late. */
  readonly changes: Readonly<Record<number, Changes>>;
}

export interface State extends Loaded {
  readonly me: User;
  readonly limits: MessageLimits;
  /** The user's chosen status. */
  readonly status: Status;
  /** The user's rooms. */
  readonly rooms: Readonly<Record<number, Room>>;
  /** What changed of the site since the page was loaded. */
  readonly site: SiteChanges;
  /** The newest applied seq of the user's own topic. */
  readonly own: number;
  /** Local read positions, until the server confirms them. */
  readonly reading: Readonly<Record<number, number>>;
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

const NOTHING: Loaded = { timelines: {}, members: {}, bans: {}, pins: {}, changes: {} };

export function initial(me: User): State {
  return {
    ...NOTHING,
    me,
    limits: { body: MAX_BODY_BYTES, characters: MAX_BODY_CHARACTERS },
    status: { status: "online" },
    rooms: {},
    site: {},
    own: 0,
    reading: {},
    directory: null,
    sessions: null,
    gone: null,
    former: {},
  };
}

/** Keep what is loaded of these rooms alone. */
export function keepRooms(state: State, keeps: (room: number) => boolean): State {
  const kept = (record: Readonly<Record<number, unknown>>) =>
    Object.fromEntries(Object.entries(record).filter(([room]) => keeps(Number(room))));
  const loaded = Object.keys(NOTHING).map((part) => [part, kept(state[part as keyof Loaded])]);
  return { ...state, ...(Object.fromEntries(loaded) as Loaded) };
}

export function without<T>(record: Readonly<Record<number, T>>, key: number): Record<number, T> {
  const { [key]: _, ...rest } = record;
  return rest;
}
