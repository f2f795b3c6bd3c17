/** Search by any part of a name, on the server: users, members of a room, rooms. */
import type { MembersPage, Person, RoomsPage, UsersPage } from "../../contract";
import { MAX_ROOM_NAME } from "../../limits";
import { get } from "../../net/http";
import type { Room } from "../../state/model";

export type { Person };

const asked = (text: string, limit: number): string => `q=${encodeURIComponent([...text].slice(0, MAX_ROOM_NAME).join(""))}&limit=${limit}`;

/** Return users whose names contain this text, the best match first; without a text, some users. */
export const findPeople = async (text: string, limit: number): Promise<Person[]> =>
  (await get<UsersPage>(`api/users?${asked(text, limit)}`)).users;

export const findMembers = async (room: number, text: string, limit: number): Promise<Person[]> =>
  (await get<MembersPage>(`api/rooms/${room}/members?${asked(text, limit)}`)).members;

/** Return rooms that the user may see, joined or not. Direct rooms have no name. */
export const findRooms = async (text: string, limit: number): Promise<Room[]> =>
  (await get<RoomsPage>(`api/rooms?${asked(text, limit)}&archived=false`)).rooms;

const PATIENCE_MS = 120;

/** Searches once typing pauses, and ignores answers that arrive too late. */
export class NameSearch<T> {
  found: readonly T[] = $state.raw([]);
  /** The text of the last answered search; null before the first answer. */
  answered: string | null = $state.raw(null);
  failed = $state(false);
  #asked = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(readonly find: (text: string) => Promise<T[]>) {}

  look(text: string): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#ask(text), text ? PATIENCE_MS : 0);
  }

  stop = (): void => {
    clearTimeout(this.#timer);
    this.#asked += 1;
  };

  async #ask(text: string): Promise<void> {
    const number = (this.#asked += 1);
    try {
      const found = await this.find(text);
      if (number !== this.#asked) return;
      [this.found, this.answered, this.failed] = [found, text, false];
    } catch {
      if (number === this.#asked) this.failed = true;
    }
  }
}
