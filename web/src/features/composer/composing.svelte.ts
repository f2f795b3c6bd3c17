/**
 * What the user is writing in one room: a new message, a reply, or an edit. It exists as long as
 * the chat and survives reloads. A user never loses text that they did not discard themselves.
 */
import type { Chat } from "../../chat.svelte";
import { joined, type Draft, type Edit, type Quoted } from "../../persistence";
import { patch, sentence } from "../../net/http";
import { messageAt, type MessageItem } from "../../state/timeline";
import type { Outgoing } from "../../sync/outbox";
import { clean, discard, send } from "./sending";

export interface Intent {
  readonly kind: "reply" | "edit";
  readonly message: Quoted;
}

const MOST_OTHERS = 5;
const all = new WeakMap<Chat, Map<number, Composing>>();

/** Return the composing state of this room; always the same instance. */
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
  /** Texts that other windows have begun here at the same time. */
  others: readonly string[] = $state.raw([]);
  /** Unsaved edits that were put aside for something else. */
  edits: readonly Edit[] = $state.raw([]);
  /** Why the server refused an edit. */
  trouble = $state("");
  busy = $state(false);
  /** Increases whenever the field should take the focus. */
  focusRequests = $state(0);
  /** During an edit: the message's text before it; null if unknown. */
  #before: string | null = $state.raw(null);

  /** Asks whether to delete a message that an edit leaves without text. */
  #asks: ((seq: number) => void) | null = null;
  /** During an edit: the draft that was in the field before. */
  #aside: Draft = { text: "" };
  /** The stored text of the draft when we last read it. */
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

  // No $derived: it would belong to the component that opened the room first, and stop working when
  // that is destroyed.
  /** The message being replied to or edited, as it is now, if it is loaded. */
  get meant(): MessageItem | null {
    const { [this.room]: timeline } = this.chat.state.timelines;
    return (this.intent && timeline && messageAt(timeline, this.intent.message.seq)) ?? null;
  }

  /** True if that message was deleted. */
  get gone(): boolean {
    return this.meant?.body === null;
  }

  /**
   * During an edit: true if the text differs from the original. The original text disappears when
   * the message is deleted; new text does not.
   */
  get changed(): boolean {
    return this.text.trim() !== "" && this.text !== (this.#before ?? this.meant?.body);
  }

  /** The text of the field has changed. */
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

  /** Edit a message: continue a put-aside edit of it, or start from its current text. */
  edit(message: Quoted & { readonly body: string | null }): void {
    if (this.intent?.kind !== "edit" || this.intent.message.seq !== message.seq) {
      this.#putAside();
      const begun = this.edits.find((one) => one.message.seq === message.seq);
      this.edits = this.edits.filter((one) => one !== begun);
      this.#edit(message, begun?.text ?? message.body ?? "", message.body);
    }
    this.#focusField();
  }

  /** Cancel the edit or the reply; the draft from before comes back. */
  cancel(): void {
    if (this.intent?.kind === "edit") this.#putAside();
    else this.#set(this.text, null);
  }

  continueEdit({ message }: Edit): void {
    const { [this.room]: timeline } = this.chat.state.timelines;
    this.edit({ ...message, body: (timeline && messageAt(timeline, message.seq)?.body) ?? null });
  }

  discardEdit(edit: Edit): void {
    this.edits = this.edits.filter((one) => one !== edit);
    this.#save();
  }

  /** The edited message was deleted: keep the new text as a new message. */
  keepAsNew(): void {
    const { text } = this;
    this.#restore();
    this.prepend(text);
    this.#focusField();
  }

  /** Return a refused message to the field for editing. */
  returnUnsent(one: Outgoing): void {
    this.#putAside();
    discard(this.chat, one.key);
    this.#set([one.body, this.text].filter(Boolean).join("\n\n"), this.intent);
  }

  prepend(text: string): void {
    if (this.intent?.kind === "edit") this.#aside = { ...this.#aside, text: joined(text, this.#aside.text) };
    else this.text = joined(text, this.text);
    this.#save();
  }

  /** All unsent text in this room: draft, edits, and drafts of other windows. */
  get unsent(): readonly string[] {
    const now = this.intent?.kind === "edit" ? [this.#aside.text, this.text] : [this.text];
    return [...now, ...this.others, ...this.edits.map(({ text }) => text)].filter((text) => text.trim());
  }

  /** Discard all of it. */
  clear(): void {
    if (this.intent?.kind === "edit") this.#restore();
    this.others = [];
    this.edits = [];
    this.#set("", null);
  }

  /** Swap the field's text with another window's draft; nothing is lost. */
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

  /**
   * Register `ask`, which asks whether to delete a message that an edit leaves without text. Return
   * a function that unregisters it.
   */
  asking(ask: (seq: number) => void): () => void {
    this.#asks = ask;
    return () => (this.#asks = null);
  }

  /**
   * Submit the message or the edit. A reply to a deleted message is not sent until the user removes
   * the reply.
   */
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
      // The user may have continued typing, or moved elsewhere, while the server answered.
      if (this.text === text && this.intent?.message.seq === message.seq) this.#restore();
      const done = this.edits.find((one) => one.message.seq === message.seq && one.text === text);
      if (done) this.discardEdit(done);
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

  /** Leave an edit and restore the draft; changed text of the edit is kept. */
  #putAside(): void {
    if (this.intent?.kind !== "edit") return;
    const {
      text,
      intent: { message },
    } = this;
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
    this.#focusField();
  }

  #focusField(): void {
    this.trouble = "";
    this.focusRequests += 1;
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
    // Another window may have stored a draft without an event reaching us: keep it beside ours
    // instead of overwriting it.
    const there = this.#drafts.shared(this.room).text;
    if (there !== this.#seen && there !== draft.text && there.trim()) this.#keep(there);
    this.#seen = this.#drafts.save(this.room, this.#draft()) ? draft.text : there;
    if (this.intent?.kind !== "edit") return;
    this.#drafts.saveEdit(this.room, this.changed ? { message: this.intent.message, text: this.text } : null);
  }

  /** Another window has stored a draft: take it over if the user has no text of their own here. */
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
