/** Room management: create, change, archive, restore, and the user's own preferences. */
import type { Chat } from "../../chat.svelte";
import type { CreateRoomBody, RoomDetail, RoomPosition, UpdateRoomBody } from "../../contract";
import { get, patch, post, Refusal } from "../../net/http";
import { AttemptKeys } from "../../net/keys";
import type { Room } from "../../state/model";
import { othersIn } from "./names";
import { enter } from "./rooms";

export type Plan = Omit<CreateRoomBody, "key">;

/** Creates rooms. The same plan again yields the same room, in case the first answer was lost. */
export class RoomCreator {
  #keys = new AttemptKeys();

  constructor(readonly chat: Chat) {}

  /** Return the id of the new room, or of the existing direct room. */
  async make(plan: Plan): Promise<number> {
    const { room } = await post<RoomPosition>("api/rooms", { ...plan, key: this.#keys.of(plan) });
    enter(this.chat, room);
    return room.id;
  }
}

/**
 * Return the direct room with these users, and create it if it does not exist; with no users, the
 * user's notes.
 */
export async function openDirect(chat: Chat, users: readonly number[]): Promise<number> {
  const wanted = [...users].sort((a, b) => a - b).join();
  const known = Object.values(chat.state.rooms).find(
    (room) =>
      room.kind === "direct" &&
      othersIn(room, chat.state.me.id)
        .map(({ id }) => id)
        .sort((a, b) => a - b)
        .join() === wanted,
  );
  return known?.id ?? new RoomCreator(chat).make({ kind: "direct", members: [...users] });
}

export const updateRoom = (room: number, changes: UpdateRoomBody): Promise<unknown> => patch(`api/rooms/${room}`, changes);
export const archiveRoom = (room: number): Promise<unknown> => post(`api/rooms/${room}/archive`);
export const restoreRoom = (room: number): Promise<unknown> => post(`api/rooms/${room}/restore`);
export const setFavourite = (room: number, favourite: boolean): Promise<unknown> => patch(`api/rooms/${room}/preferences`, { favourite });
export const setMuted = (room: number, muted: boolean): Promise<unknown> => patch(`api/rooms/${room}/preferences`, { muted });

/**
 * Load a room that the user may not be in; null if it does not exist or the user may not see it.
 */
export async function fetchRoom(room: number): Promise<Room | null> {
  try {
    return (await get<RoomDetail>(`api/rooms/${room}`)).room;
  } catch (error) {
    if (error instanceof Refusal && error.code === "not_found") return null;
    throw error;
  }
}
