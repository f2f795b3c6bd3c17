/**
 * Load single messages: quoted messages that are not loaded, and messages whose change only the
 * server knows in full. One request at a time, and never again for a message that the user cannot
 * see.
 */
import type { Chat } from "../../chat.svelte";
import type { OneMessage } from "../../contract";
import { get, Refusal } from "../../net/http";
import { messageLoaded } from "../../state/load";
import { roomTopic } from "../../state/model";
import { messageAt, type MessageItem, type Timeline } from "../../state/timeline";

const PATIENCE_MS = 5_000;

/**
 * The messages to load, as seqs by a name for each request. Nothing up to `floor` is visible.
 * `besides` is one more wanted message.
 */
export function missing(timeline: Timeline, floor: number, besides?: number): ReadonlyMap<string, number> {
  const { items, tail, quotes } = timeline;
  const found = new Map<string, number>();
  const look = (item: MessageItem): void => {
    if (item.outdated) found.set(`${item.seq} as of ${item.asOf}`, item.seq);
  };
  for (const item of [...items, ...tail.items]) {
    if (item.kind !== "message") continue;
    look(item);
    const answered = item.reply_to ?? 0;
    if (answered > floor && !quotes[answered]) found.set(`${answered}`, answered);
  }
  for (const quote of Object.values(quotes)) look(quote);
  if (besides !== undefined && besides > floor && !messageAt(timeline, besides)) found.set(`${besides}`, besides);
  return found;
}

export class Missing {
  /** Quoted messages that turned out not to be visible to the user. */
  #unseen: ReadonlySet<number> = $state.raw(new Set());
  readonly #asked = new Set<string>();
  #busy = false;
  #patientUntil = 0;

  constructor(
    readonly chat: Chat,
    readonly room: number,
  ) {}

  /** True if the user cannot see this message. */
  hides(seq: number): boolean {
    return seq <= this.#floor || this.#unseen.has(seq);
  }

  /** The timeline or the additionally wanted message has changed. */
  look(timeline: Timeline, besides?: number): void {
    if (this.#busy || Date.now() < this.#patientUntil) return;
    const next = [...missing(timeline, this.#floor, besides)].find(([question]) => !this.#asked.has(question));
    if (next) void this.#ask(...next);
  }

  async #ask(question: string, seq: number): Promise<void> {
    this.#busy = true;
    this.#asked.add(question);
    try {
      const { message, heads } = await get<OneMessage>(`api/rooms/${this.room}/messages/${seq}`);
      this.chat.update((state) => messageLoaded(state, this.room, message, heads[roomTopic(this.room)] ?? 0));
    } catch (error) {
      if (error instanceof Refusal && error.code === "not_found") this.#unseen = new Set([...this.#unseen, seq]);
      else this.#later(question);
    } finally {
      this.#busy = false;
    }
    const timeline = this.chat.state.timelines[this.room];
    if (timeline) this.look(timeline);
  }

  /**
   * In rooms without history for new members, the seq up to which nothing is visible to the user.
   */
  get #floor(): number {
    const { history, floor = 0 } = this.chat.state.rooms[this.room] ?? {};
    return history === "joined" ? floor : 0;
  }

  #later(question: string): void {
    this.#asked.delete(question);
    this.#patientUntil = Date.now() + PATIENCE_MS;
  }
}
