/**
 * What somebody is writing in one room: a new message, an answer, or new words for an old one. It lives as long as the
 * chat and is kept over reloads; whoever writes never loses a word that he did not throw away himself.
 */
import type { Chat } from "../../chat.svelte";
import { joined, type Draft, type Edit, type Quoted } from "../../persistence";
import { patch, sentence } from "../../net/http";
import { messageAt, type MessageItem } from "../../state/timeline";
import type { Outgoing } from "../../sync/outbox";
import { clean, discard, send } from "../messages/messages";

export interface Intent {
  readonly kind: "reply" | "edit";
  readonly message: Quoted;
}

const MOST_OTHERS = 5;
const all = new WeakMap<Chat, Map<number, Composing>>();

/** What is being written in this room; always the same one. */
export function composing(chat: Chat, room: number): Composing {
  const rooms = all.get(chat) ?? new Map<number, Composing>();
  all.set(chat, rooms);
  const found = rooms.get(room) ?? new Composing(chat, room);
  rooms.set(room, found);
  return found;
}

export class Composing {
  text = $state("");
  intent: Intent | null = $state.raw(null);
  /** Texts that other windows had begun here at the same time. */
  others: readonly string[] = $state.raw([]);
  /** New words for old messages that were put aside for something else. */
  edits: readonly Edit[] = $state.raw([]);
  /** Why an edit was not taken. */
  trouble = $state("");
  busy = $state(false);
  /** Rises whenever the one who writes is called back to the field. */
  calls = $state(0);
  /** While something is edited: what it said before; null if that is not known. */
  #before: string | null = $state.raw(null);

  /** Asks whether a message of which no word is left is to be deleted. */
  #asks: ((seq: number) => void) | null = null;
  /** While something is edited: what was being written before. */
  #aside: Draft = { text: "" };
  /** The draft's text as the browser had it when we last looked. */
  #seen = "";

  constructor(
    readonly chat: Chat,
    readonly room: number,
  ) {
    this.#take(this.#drafts.load(room));
    const edit = this.#drafts.loadEdit(room);
    if (edit) this.#edit(edit.message, edit.text, null);
    this.#drafts.follow(room, this);
  }

  // No $derived: it would belong to the component that opened the room first, and end with it.
  /** What is being answered or changed, as it is now, as far as it is known here. */
  get meant(): MessageItem | null {
    const { [this.room]: timeline } = this.chat.state.timelines;
    return (this.intent && timeline && messageAt(timeline, this.intent.message.seq)) ?? null;
  }

  /** It is there no more. */
  get gone(): boolean {
    return this.meant?.body === null;
  }

  /** While something is edited: the words are new ones, and not its old ones, which whoever deletes it deletes. */
  get changed(): boolean {
    return this.text.trim() !== "" && this.text !== (this.#before ?? this.meant?.body);
  }

  /** The field says this now. */
  write(text: string): void {
    if (text === this.text) return;
    this.text = text;
    this.#save();
    if (text.trim() && this.intent?.kind !== "edit") this.chat.input({ type: "typing", room: this.room });
  }

  reply(message: Quoted): void {
    this.#putAside();
    this.#set(this.text, { kind: "reply", message: quoted(message) });
  }

  /** Go on where it was put aside, or begin with what it says now. */
  edit(message: Quoted & { readonly body: string | null }): void {
    if (this.intent?.kind !== "edit" || this.intent.message.seq !== message.seq) {
      this.#putAside();
      const begun = this.edits.find((one) => one.message.seq === message.seq);
      this.edits = this.edits.filter((one) => one !== begun);
      this.#edit(message, begun?.text ?? message.body ?? "", message.body);
    }
    this.#call();
  }

  /** Back to what was being written before, or to a message that answers nothing. */
  cancel(): void {
    if (this.intent?.kind === "edit") this.#putAside();
    else this.#set(this.text, null);
  }

  goOn({ message }: Edit): void {
    const { [this.room]: timeline } = this.chat.state.timelines;
    this.edit({ ...message, body: (timeline && messageAt(timeline, message.seq)?.body) ?? null });
  }

  giveUp(edit: Edit): void {
    this.edits = this.edits.filter((one) => one !== edit);
    this.#save();
  }

  /** The message is deleted, and its new words are a message of their own. */
  writeAnew(): void {
    const { text } = this;
    this.#restore();
    this.takeIn(text);
    this.#call();
  }

  /** A message that was not taken comes back to be written anew. */
  takeBack(one: Outgoing): void {
    this.#putAside();
    discard(this.chat, one.key);
    this.#set([one.body, this.text].filter(Boolean).join("\n\n"), this.intent);
  }

  takeIn(text: string): void {
    if (this.intent?.kind === "edit") this.#aside = { ...this.#aside, text: joined(text, this.#aside.text) };
    else this.text = joined(text, this.text);
    this.#save();
  }

  /** All that is written here and not sent, whatever it was to be. */
  get unsent(): readonly string[] {
    const now = this.intent?.kind === "edit" ? [this.#aside.text, this.text] : [this.text];
    return [...now, ...this.others, ...this.edits.map(({ text }) => text)].filter((text) => text.trim());
  }

  /** Throw all of that away. */
  clear(): void {
    if (this.intent?.kind === "edit") this.#restore();
    this.others = [];
    this.edits = [];
    this.#set("", null);
  }

  /** Swap what is written for what another window had begun; nothing is lost that way. */
  swap(other: string): void {
    this.#putAside();
    const rest = this.others.filter((one) => one !== other);
    this.others = this.text.trim() ? [this.text, ...rest] : rest;
    this.#set(other, this.intent);
  }

  forget(other: string): void {
    this.others = this.others.filter((one) => one !== other);
    this.#save();
  }

  /** `ask` whether a message is to be deleted of which the edit leaves no word; ends by calling the answer. */
  asking(ask: (seq: number) => void): () => void {
    this.#asks = ask;
    return () => (this.#asks = null);
  }

  /** Nothing goes out as an answer to what is gone: whoever wants to say it all the same says so. */
  async submit(): Promise<void> {
    if (this.gone) return;
    if (this.intent?.kind === "edit") return this.#submitEdit(this.intent.message, this.text);
    const answered = this.intent?.message.seq;
    send(this.chat, this.room, this.text, answered);
    this.#set("", null);
  }

  async #submitEdit(message: Quoted, text: string): Promise<void> {
    if (this.busy) return;
    if (!text.trim()) return this.#asks?.(message.seq);
    this.busy = true;
    this.trouble = "";
    try {
      if (this.changed) await patch(`api/rooms/${this.room}/messages/${message.seq}`, { body: clean(text) });
      // One may have gone on, or elsewhere, while the server was thinking.
      if (this.text === text && this.intent?.message.seq === message.seq) this.#restore();
      const done = this.edits.find((one) => one.message.seq === message.seq && one.text === text);
      if (done) this.giveUp(done);
    } catch (error) {
      this.trouble = sentence(error);
    } finally {
      this.busy = false;
    }
  }

  #edit(message: Quoted, text: string, before: string | null): void {
    this.#aside = this.#draft();
    this.#before = before;
    this.text = text;
    this.intent = { kind: "edit", message: quoted(message) };
  }

  /** From an edit back to what was written before; what is new of it is kept. */
  #putAside(): void {
    if (this.intent?.kind !== "edit") return;
    const { text, intent: { message } } = this;
    if (this.changed) this.edits = [{ message, text }, ...this.edits];
    this.#restore();
  }

  #restore(): void {
    this.#drafts.saveEdit(this.room, null);
    const { text, reply } = this.#aside;
    this.#set(text, reply ? { kind: "reply", message: reply } : null);
  }

  #set(text: string, intent: Intent | null): void {
    this.text = text;
    this.intent = intent;
    this.#call();
  }

  #call(): void {
    this.trouble = "";
    this.calls += 1;
    this.#save();
  }

  #take({ text, reply, others = [], edits = [] }: Draft): void {
    this.#seen = text;
    this.text = text;
    this.intent = reply ? { kind: "reply", message: quoted(reply) } : null;
    this.others = others;
    this.edits = edits;
  }

  #draft(): Draft {
    const { text, intent, others, edits } = this;
    const kept = { ...(others.length && { others }), ...(edits.length && { edits }) };
    if (intent?.kind === "edit") return { text: this.#aside.text, ...(this.#aside.reply && { reply: this.#aside.reply }), ...kept };
    return { text, ...(intent && { reply: intent.message }), ...kept };
  }

  #save(): void {
    const draft = this.#draft();
    // Another window may have written without our hearing of it: that is put beside ours, not under it.
    const there = this.#drafts.shared(this.room).text;
    if (there !== this.#seen && there !== draft.text && there.trim()) this.#keep(there);
    this.#seen = this.#drafts.save(this.room, this.#draft()) ? draft.text : there;
    if (this.intent?.kind !== "edit") return;
    this.#drafts.saveEdit(this.room, this.changed ? { message: this.intent.message, text: this.text } : null);
  }

  /** Another window has written: who has nothing of his own here goes along. */
  heard(draft: Draft): void {
    const own = this.#draft().text;
    if (own !== this.#seen && own !== draft.text) return;
    if (this.intent?.kind !== "edit") return this.#take(draft);
    this.#seen = draft.text;
    this.#aside = draft;
    this.others = draft.others ?? [];
    this.edits = draft.edits ?? [];
  }

  #keep(text: string): void {
    this.others = [text, ...this.others.filter((one) => one !== text)].slice(0, MOST_OTHERS);
  }

  get #drafts(): Chat["drafts"] {
    return this.chat.drafts;
  }
}

const quoted = ({ seq, by, name }: Quoted): Quoted => ({ seq, by, name });
