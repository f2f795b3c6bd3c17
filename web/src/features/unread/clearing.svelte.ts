/** Mark everything as read, with an undo for a few seconds. */
import type { Chat } from "../../chat.svelte";
import type { Messages } from "../../contract";
import { MAX_READ_ROOMS } from "../../limits";
import { get, post, sentence } from "../../net/http";

const UNDO_MS = 10_000;
/** An error without an action disappears by itself. */
const ERROR_MS = 6_000;

interface Former {
  readonly room: number;
  /** The read position before. */
  readonly read: number;
}

const all = new WeakMap<Chat, Clearing>();

/** Return the instance of this chat. */
export function clearing(chat: Chat): Clearing {
  const found = all.get(chat) ?? new Clearing(chat);
  all.set(chat, found);
  return found;
}

export class Clearing {
  /** The read positions to restore, while undo is possible. */
  former: readonly Former[] | null = $state.raw(null);
  trouble = $state("");
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(readonly chat: Chat) {}

  async run(): Promise<void> {
    const waiting = Object.values(this.chat.state.rooms).filter((room) => room.unread_count);
    if (waiting.length === 0) return;
    await this.#attempt(async () => {
      const rooms = waiting.map((room) => ({ room: room.id, seq: room.head ?? 0 }));
      for (let at = 0; at < rooms.length; at += MAX_READ_ROOMS) await post("api/reads", { rooms: rooms.slice(at, at + MAX_READ_ROOMS) });
      this.former = waiting.map(({ id, read_seq = 0 }) => ({ room: id, read: read_seq }));
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

  /** Keep the notice while the pointer or the focus is on it. */
  pause(): void {
    clearTimeout(this.#timer);
  }

  resume(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.close(), this.trouble ? ERROR_MS : UNDO_MS);
  }

  close(): void {
    clearTimeout(this.#timer);
    this.former = null;
    this.trouble = "";
  }

  /** Mark the room as unread from the first message that had not been read. */
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
