/** The names of users who reacted: from the room's members and authors, else from the server. */
import type { Chat } from "../../chat.svelte";
import type { ReactionsPage } from "../../contract";
import { get } from "../../net/http";

/** Fetch a page of the reactions to a message, the oldest first. */
export function fetchReacted(room: number, message: number, after = 0): Promise<ReactionsPage> {
  return get<ReactionsPage>(`api/rooms/${room}/messages/${message}/reactions?after=${after}`);
}

class Names {
  #found: ReadonlyMap<number, string> = $state.raw(new Map());
  readonly #asked = new Set<number>();

  constructor(
    readonly chat: Chat,
    readonly room: number,
  ) {}

  get known(): ReadonlyMap<number, string> {
    const { members, rooms, timelines } = this.chat.state;
    const names = new Map(this.#found);
    for (const item of timelines[this.room]?.items ?? []) if (item.kind === "message") names.set(item.by, item.name);
    for (const { id, name } of members[this.room] ?? rooms[this.room]?.members ?? []) names.set(id, name);
    return names;
  }

  /** Load the names of these users if some are unknown. */
  look(message: number, users: readonly number[]): void {
    const { known } = this;
    if (this.#asked.has(message) || users.every((user) => known.has(user) || user === this.chat.state.me.id)) return;
    this.#asked.add(message);
    fetchReacted(this.room, message).then(
      ({ reactions }) => (this.#found = new Map([...this.#found, ...reactions.map(({ by, name }) => [by, name] as const)])),
      () => this.#asked.delete(message),
    );
  }
}

export const namesIn = (chat: Chat, room: number): Names => new Names(chat, room);
