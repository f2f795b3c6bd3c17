/**
 * Optimistic reactions. The user's reactions are shown at once, as pending changes over the
 * message; the result arrives in the log. The last change counts, however fast the user changes
 * their mind. A refusal undoes it.
 */
import type { Chat } from "../../chat.svelte";
import type { MaybePosition, Reaction } from "../../contract";
import { put, remove, sentence } from "../../net/http";
import { messageAt, type MessageItem } from "../../state/timeline";
import { withPending, type PendingReaction } from "./reactions";

export class PendingReactions {
  #all: readonly PendingReaction[] = $state.raw([]);
  /** Reactions with a request under way. */
  readonly #asking = new Set<string>();

  constructor(
    readonly chat: Chat,
    readonly room: number,
    readonly refused: (seq: number, words: string) => void,
  ) {}

  get any(): boolean {
    return this.#all.length > 0;
  }

  /** The reactions of a message as the user sees them. */
  shown({ seq, asOf, reactions = [] }: MessageItem): readonly Reaction[] {
    const changes = this.#all.filter((change) => change.seq === seq);
    return changes.length === 0 ? reactions : withPending(reactions, asOf, changes, this.chat.state.me.id);
  }

  async toggle(message: MessageItem, emoji: string): Promise<void> {
    const { seq } = message;
    const mine = this.shown(message).some((one) => one.emoji === emoji && one.mine);
    this.#set({ seq, emoji, on: !mine, until: null });
    const key = `${seq} ${emoji}`;
    if (this.#asking.has(key)) return;
    this.#asking.add(key);
    try {
      while (!(await this.#asked(seq, emoji)));
    } catch (error) {
      this.#drop(seq, emoji);
      this.refused(seq, sentence(error));
    } finally {
      this.#asking.delete(key);
    }
  }

  /** Send the pending change. Return true if the user has not changed it meanwhile. */
  async #asked(seq: number, emoji: string): Promise<boolean> {
    const { on } = this.#pending(seq, emoji) ?? {};
    if (on === undefined) return true;
    const path = `api/rooms/${this.room}/messages/${seq}/reactions/${encodeURIComponent(emoji)}`;
    const answer = await (on ? put<MaybePosition>(path, {}) : remove<MaybePosition>(path));
    if (this.#pending(seq, emoji)?.on !== on) return false;
    if (answer.seq === undefined || this.#asOf(seq) >= answer.seq) this.#drop(seq, emoji);
    else this.#set({ seq, emoji, on, until: answer.seq });
    return true;
  }

  #pending(seq: number, emoji: string): PendingReaction | undefined {
    return this.#all.find((change) => change.seq === seq && change.emoji === emoji);
  }

  #set(change: PendingReaction): void {
    this.#drop(change.seq, change.emoji);
    this.#all = [...this.#all, change];
  }

  #drop(seq: number, emoji: string): void {
    this.#all = this.#all.filter((change) => !(change.seq === seq && change.emoji === emoji));
  }

  #asOf(seq: number): number {
    const timeline = this.chat.state.timelines[this.room];
    return (timeline && messageAt(timeline, seq)?.asOf) ?? 0;
  }
}
