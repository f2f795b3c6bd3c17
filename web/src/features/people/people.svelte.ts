/** Search for users by the beginning of their names. */
import type { Person, UsersPage } from "../../contract";
import { MAX_USER_NAME } from "../../limits";
import { get } from "../../net/http";

export type { Person };

/** Return users whose names start with this text, or with letters that look the same. */
export async function findPeople(beginning: string, limit: number): Promise<Person[]> {
  const { users } = await get<UsersPage>(`api/users?prefix=${encodeURIComponent(beginning.slice(0, MAX_USER_NAME))}&limit=${limit}`);
  return users;
}

const PATIENCE_MS = 120;

/** Searches once typing pauses, and ignores answers that arrive too late. */
export class PeopleSearch {
  found: readonly Person[] = $state.raw([]);
  /** The text of the last answered search; null before the first answer. */
  answered: string | null = $state.raw(null);
  failed = $state(false);
  #asked = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(readonly limit: number) {}

  look(beginning: string): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#ask(beginning), beginning ? PATIENCE_MS : 0);
  }

  stop = (): void => {
    clearTimeout(this.#timer);
    this.#asked += 1;
  };

  async #ask(beginning: string): Promise<void> {
    const number = (this.#asked += 1);
    try {
      const found = await findPeople(beginning, this.limit);
      if (number !== this.#asked) return;
      [this.found, this.answered, this.failed] = [found, beginning, false];
    } catch {
      if (number === this.#asked) this.failed = true;
    }
  }
}
