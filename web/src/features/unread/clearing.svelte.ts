/** Everything is read at once; for a few seconds one can still say that it was not meant so. */
import type { Chat } from "../../chat.svelte";
import type { Messages } from "../../contract";
import { get, post, sentence } from "../../net/http";

/** What the server takes in one `rooms.read`. */
const MOST_ROOMS = 500;
const UNDO_MS = 10_000;
/** A word that nothing can be done about goes by itself. */
const TOLD_MS = 6_000;

interface Former {
  readonly room: number;
  /** How far one had read. */
  readonly read: number;
}

const all = new WeakMap<Chat, Clearing>();

/** Always the same one. */
export function clearing(chat: Chat): Clearing {
  const found = all.get(chat) ?? new Clearing(chat);
  all.set(chat, found);
  return found;
}

export class Clearing {
  /** Where one had been, as long as there is a way back. */
  former: readonly Former[] | null = $state.raw(null);
  trouble = $state("");
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(readonly chat: Chat) {}

  async run(): Promise<void> {
    const waiting = Object.values(this.chat.state.rooms).filter((room) => room.unread);
    if (waiting.length === 0) return;
    await this.#attempt(async () => {
      const rooms = waiting.map((room) => ({ room: room.id, seq: room.head ?? 0 }));
      for (let at = 0; at < rooms.length; at += MOST_ROOMS) await post("api/reads", { rooms: rooms.slice(at, at + MOST_ROOMS) });
      this.former = waiting.map(({ id, read = 0 }) => ({ room: id, read }));
      this.resume();
    });
  }

  async undo(): Promise<void> {
    const { former } = this;
    if (!former) return;
    this.close();
    await this.#attempt(async () => {
      for (const one of former) await this.#back(one);
    });
  }

  /** Somebody is about to take the way back: it stays. */
  pause(): void {
    clearTimeout(this.#timer);
  }

  resume(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.close(), this.trouble ? TOLD_MS : UNDO_MS);
  }

  close(): void {
    clearTimeout(this.#timer);
    this.former = null;
    this.trouble = "";
  }

  /** To just before the first message that had not been read. */
  async #back({ room, read }: Former): Promise<void> {
    if (!this.chat.state.rooms[room]) return;
    const { messages } = await get<Messages>(`api/rooms/${room}/messages?after=${read}&limit=1`);
    const [first] = messages;
    if (first) await post(`api/rooms/${room}/unread`, { message: first.seq });
  }

  async #attempt(run: () => Promise<void>): Promise<void> {
    this.trouble = "";
    try {
      await run();
    } catch (error) {
      this.trouble = sentence(error);
      this.resume();
    }
  }
}
