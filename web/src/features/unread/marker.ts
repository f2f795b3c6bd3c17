/**
 * Sends read positions to the server: at most every two seconds, and when the user leaves a room.
 */
import type { Chat } from "../../chat.svelte";
import { post } from "../../net/http";
import { readHere, unreadHere } from "../../state/attention";
import { timelineMarked } from "../../state/load";

const READ_EVERY_MS = 2_000;
const all = new WeakMap<Chat, ReadMarker>();

/** Return the instance of this chat. */
export function marker(chat: Chat): ReadMarker {
  const found = all.get(chat) ?? new ReadMarker(chat);
  all.set(chat, found);
  return found;
}

export class ReadMarker {
  #waiting: { room: number; seq: number } | null = null;
  #sentAt = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #held: number | null = null;
  /** The open room, and its read position as the server last reported it. */
  #at: { room: number; read: number } | null = null;

  constructor(readonly chat: Chat) {}

  /** Keep messages in this room unread until the user leaves it, because they asked for it. */
  hold(room: number): void {
    if (this.#waiting?.room === room) this.#waiting = null;
    this.#held = room;
    this.chat.update((state) => unreadHere(state, room));
  }

  left(room: number): void {
    if (this.#held === room) this.#held = null;
    if (this.#at?.room === room) this.#at = null;
  }

  /** The user sees the room's newest message. */
  seen(room: number): void {
    this.#notice(room);
    const known = this.chat.state.rooms[room];
    const timeline = this.chat.state.timelines[room];
    const seq = timeline?.items.findLast((item) => item.kind === "message")?.seq;
    if (!known?.unread_count || seq === undefined || timeline?.newer || this.#held === room) return;
    this.#read(room, seq);
    this.#timer = setTimeout(this.flush, Math.max(0, this.#sentAt + READ_EVERY_MS - Date.now()));
  }

  /** Mark the whole room as read, whatever is in view and whatever was marked as unread before. */
  all(room: number): void {
    const known = this.chat.state.rooms[room];
    if (!known?.unread_count) return;
    this.left(room);
    this.#read(room, known.head ?? 0);
    this.flush();
  }

  /**
   * Mark as unread from this message on, until the user leaves the room. Errors of the server are
   * thrown.
   */
  async unread(room: number, message: number): Promise<void> {
    const { rooms, reading } = this.chat.state;
    const read = Math.min(rooms[room]?.read_seq ?? 0, message - 1);
    this.hold(room);
    try {
      // The server may not know the latest read position yet: send it first, since marking as
      // unread does not include it.
      if (reading[room] !== undefined) await post(`api/rooms/${room}/read`, { seq: message - 1 });
      await post(`api/rooms/${room}/unread`, { message });
      this.chat.update((state) => timelineMarked(state, room, read));
    } catch (error) {
      this.left(room);
      throw error;
    }
  }

  flush = (): void => {
    clearTimeout(this.#timer);
    if (!this.#waiting || !this.chat.sync.live) return;
    this.chat.input({ type: "read", ...this.#waiting });
    this.#waiting = null;
    this.#sentAt = Date.now();
  };

  #read(room: number, seq: number): void {
    this.chat.update((state) => readHere(state, room, seq));
    if (this.#waiting && this.#waiting.room !== room) this.flush();
    this.#waiting = { room, seq };
    clearTimeout(this.#timer);
  }

  /** A room marked as unread on another device stays unread here too. */
  #notice(room: number): void {
    const { rooms, reading } = this.chat.state;
    if (reading[room] !== undefined) return;
    const read = rooms[room]?.read_seq ?? 0;
    if (this.#at?.room === room && read < this.#at.read) this.#held = room;
    this.#at = { room, read };
  }
}
