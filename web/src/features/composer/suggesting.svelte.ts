/** The suggestion list of the message field: its items, the chosen one, and its keys. */
import type { Chat } from "../../chat.svelte";
import { recentEmoji, usedEmoji } from "../../persistence";
import type { Room } from "../../state/model";
import { loadEmoji, type Groups } from "../../ui/emoji";
import { findMembers, NameSearch, type Person } from "../people/people.svelte";
import { begunAt, emoji, mayMentionAll, MOST, names, whole, type Begun, type Suggestion } from "./completion";

/** Replace a range of the field's text. */
export type Replace = (from: number, to: number, text: string) => void;

export class Suggesting {
  begun: Begun | null = $state.raw(null);
  chosen = $state(0);
  #groups: Groups | null = $state.raw(null);
  /** The members that the server finds: by look-alike letters too, and of rooms whose members are not loaded. */
  readonly #found = new NameSearch<Person>((text) => findMembers(this.room().id, text, MOST));
  /** The start of the word for which Escape has closed the list. */
  #closed: number | null = null;

  constructor(
    readonly chat: Chat,
    readonly room: () => Room,
    readonly replace: Replace,
  ) {}

  readonly items: readonly Suggestion[] = $derived.by(() => {
    if (!this.begun) return [];
    if (this.begun.kind === "name")
      return names(this.#members(), this.begun.query, mayMentionAll(this.chat.state.me, this.room()), this.#foundMembers(this.begun.query));
    return this.#groups ? emoji(this.#groups, this.begun.query, recentEmoji(this.chat.state.me.id)) : [];
  });

  /** The text or the caret has changed. */
  look(text: string, caret: number, typed: boolean): void {
    const complete = typed && this.#groups ? whole(this.#groups, text, caret) : null;
    if (complete) return this.#put(complete, complete.emoji, complete.emoji);
    const begun = begunAt(text, caret);
    if (begun?.from !== this.#closed) this.#closed = null;
    // The list opens on typing, not when the caret moves through old words.
    const shown = begun && this.#closed === null && (typed || this.begun?.from === begun.from) ? begun : null;
    if (shown?.query !== this.begun?.query) this.chosen = 0;
    this.begun = shown;
    if (shown) this.#load(shown);
    else this.#found.stop();
  }

  close(): void {
    this.#closed = this.begun?.from ?? null;
    this.begun = null;
  }

  choose(at: number): void {
    const found = this.items[at];
    if (found && this.begun) this.#put(this.begun, found.text, found.emoji);
  }

  /** Handle a key. Return true if it was for the list. */
  keyed(key: string): boolean {
    const count = this.items.length;
    if (!count) return false;
    if (key === "ArrowDown") this.chosen = (this.chosen + 1) % count;
    else if (key === "ArrowUp") this.chosen = (this.chosen + count - 1) % count;
    else if (key === "Enter" || key === "Tab") this.choose(this.chosen);
    else if (key === "Escape") this.close();
    else return false;
    return true;
  }

  #put({ from, to }: Begun, text: string, used?: string): void {
    this.begun = null;
    if (used) usedEmoji(this.chat.state.me.id, used);
    this.replace(from, to, text);
  }

  #members(): readonly { id: number; name: string }[] {
    const room = this.room();
    const members = this.chat.state.members[room.id] ?? room.members ?? [];
    return members.filter(({ id }) => id !== this.chat.state.me.id);
  }

  #foundMembers(query: string): readonly Person[] {
    return this.#found.answered === query ? this.#found.found.filter(({ id }) => id !== this.chat.state.me.id) : [];
  }

  /** Load missing data; the list updates when it arrives. */
  #load({ kind, query }: Begun): void {
    if (kind === "emoji")
      void loadEmoji().then(
        (groups) => (this.#groups = groups),
        () => {},
      );
    else if (this.chat.sync.live) this.#found.look(query);
  }
}
