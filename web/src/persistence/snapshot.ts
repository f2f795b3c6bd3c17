/**
 * A snapshot of the page for the next load: the state and its log positions, from one moment.
 * Bounded: the newest messages of the most recently used rooms. Pure.
 *
 * Only the parts of `State` that are named here are stored. `initial` must be able to leave out all
 * other parts, because they are loaded on demand.
 */
import type { Site } from "../contract";
import type { Member } from "../state/model";
import { initial, type State } from "../state/state";
import { trimmed, type Timeline } from "../state/timeline";
import { empty, type SyncState } from "../sync/machine";

export const MOST_ROOMS = 20;
export const MOST_ITEMS = 100;
/** For all rooms together, in characters of JSON. */
export const MOST_TEXT = 2_000_000;

/**
 * A hash of the sources that define the state: a snapshot written by other code is ignored
 * (vite.config.ts).
 */
declare const __SHAPE__: string;
export const SHAPE: string = __SHAPE__;

export interface Snapshot {
  readonly shape: string;
  readonly user: number;
  /** When it was taken (ms since 1970). */
  readonly at: number;
  readonly site: Site;
  readonly epoch: string;
  readonly positions: Readonly<Record<string, number>>;
  /** JSON strings, so that unchanged parts are not serialised again. */
  readonly core: string;
  readonly rooms: readonly { readonly room: number; readonly timeline: string; readonly members: string | null }[];
}

export interface Restored {
  readonly at: number;
  readonly site: Site;
  readonly state: State;
  readonly sync: SyncState;
  /** The rooms the user was in, the last one first. */
  readonly recent: readonly number[];
}

const written = new WeakMap<object, string>();

/**
 * Take a snapshot. `site` is the site as it was when the page was loaded. `recent` are room ids, the last visited first. Return null while there is
 * nothing to resume from.
 */
export function takeSnapshot(state: State, sync: SyncState, site: Site, recent: readonly number[], at: number): Snapshot | null {
  if (sync.epoch === null) return null;
  const positions = Object.entries(sync.positions).flatMap(([topic, { last }]) => (last === null ? [] : [[topic, last]]));
  const { me, limits, rooms } = state;
  return {
    shape: SHAPE,
    user: me.id,
    at,
    site: { ...site, ...state.site },
    epoch: sync.epoch,
    positions: Object.fromEntries(positions) as Snapshot["positions"],
    core: JSON.stringify({ me, limits, rooms }),
    rooms: bounded(state, recent),
  };
}

function bounded(state: State, recent: readonly number[]): Snapshot["rooms"] {
  const found: Snapshot["rooms"][number][] = [];
  let left = MOST_TEXT;
  for (const room of new Set([...recent, ...Object.keys(state.timelines).map(Number)])) {
    const timeline = state.timelines[room];
    if (found.length === MOST_ROOMS || timeline?.status !== "ready" || !state.rooms[room]) continue;
    const kept = { room, timeline: json(timeline, newest), members: null };
    if (kept.timeline.length > left) continue;
    left -= kept.timeline.length;
    const members = state.members[room] ? json(state.members[room], (all) => all) : null;
    const fits = members !== null && members.length <= left;
    if (fits) left -= members.length;
    found.push(fits ? { ...kept, members } : kept);
  }
  return found;
}

const newest = (timeline: Timeline): Timeline => trimmed(timeline, MOST_ITEMS);

/** States are immutable: the same object has the same JSON. */
function json<T extends object>(value: T, shortened: (value: T) => T): string {
  const found = written.get(value) ?? JSON.stringify(shortened(value));
  written.set(value, found);
  return found;
}

/** Restore a snapshot; null if it is invalid or was written by other code. */
export function restored(kept: Snapshot | null | undefined): Restored | null {
  if (kept?.shape !== SHAPE) return null;
  try {
    const { me, limits, rooms } = JSON.parse(kept.core) as Pick<State, "me" | "limits" | "rooms">;
    const timelines: Record<number, Timeline> = {};
    const members: Record<number, readonly Member[]> = {};
    for (const one of kept.rooms) {
      // 0 is no load of this page: loads are numbered from 1.
      timelines[one.room] = { ...(JSON.parse(one.timeline) as Timeline), load: 0 };
      if (one.members !== null) members[one.room] = JSON.parse(one.members) as Member[];
    }
    const positions = Object.entries(kept.positions).map(([topic, last]) => [topic, { last, top: last, asking: null }]);
    return {
      at: kept.at,
      site: kept.site,
      state: { ...initial(me), limits, rooms, timelines, members },
      sync: { ...empty, epoch: kept.epoch, positions: Object.fromEntries(positions) as SyncState["positions"] },
      recent: kept.rooms.map((one) => one.room),
    };
  } catch {
    return null;
  }
}
