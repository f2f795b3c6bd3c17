/** How far one has read, as the server is told: at most every two seconds, and when leaving a room. */
import type { Chat } from "../../chat.svelte";
import { post } from "../../net/http";
import { readHere, unreadHere } from "../../state/attention";
import { timelineMarked } from "../../state/load";

const READ_EVERY_MS = 2_000;
const all = new WeakMap<Chat, ReadMarker>();

/** Always the same one. */
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
  /** The room one is in, and how far one had read there when the server spoke of it last. */
  #at: { room: number; read: number } | null = null;

  constructor(readonly chat: Chat) {}

  /** What one sees in this room counts as unread until one leaves it, since one has said so. */
  hold(room: number): void {
    if (this.#waiting?.room === room) this.#waiting = null;
    this.#held = room;
    this.chat.update((state) => unreadHere(state, room));
  }

  left(room: number): void {
    if (this.#held === room) this.#held = null;
    if (this.#at?.room === room) this.#at = null;
  }

  /** One sees the room's newest message. */
  seen(room: number): void {
    this.#notice(room);
    const known = this.chat.state.rooms[room];
    const timeline = this.chat.state.timelines[room];
    const seq = timeline?.items.findLast((item) => item.kind === "message")?.seq;
    if (!known?.unread || seq === undefined || timeline?.newer || this.#held === room) return;
    this.#read(room, seq);
    this.#timer = setTimeout(this.flush, Math.max(0, this.#sentAt + READ_EVERY_MS - Date.now()));
  }

  /** All of it is read, wherever in it one is, and whatever one has said of it before. */
  all(room: number): void {
    const known = this.chat.state.rooms[room];
    if (!known?.unread) return;
    this.left(room);
    this.#read(room, known.head ?? 0);
    this.flush();
  }

  /** From this message on nothing is read until one leaves the room. What the server throws is passed on. */
  async unread(room: number, message: number): Promise<void> {
    const { rooms, reading } = this.chat.state;
    const read = Math.min(rooms[room]?.read ?? 0, message - 1);
    this.hold(room);
    try {
      // What was read here up to there may not have been told yet: going back says nothing of it.
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

  /** Where one has gone back on another device, that holds here too. */
  #notice(room: number): void {
    const { rooms, reading } = this.chat.state;
    if (reading[room] !== undefined) return;
    const read = rooms[room]?.read ?? 0;
    if (this.#at?.room === room && read < this.#at.read) this.#held = room;
    this.#at = { room, read };
  }
}
