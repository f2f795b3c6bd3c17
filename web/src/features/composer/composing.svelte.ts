/**
 * What somebody is writing in one room: a new message, an answer, or new words for an old one. It lives as long as the
 * chat and is kept over reloads; whoever writes never loses a word that he did not throw away himself.
 */
import type { Chat } from "../../chat.svelte";
import { followDraft, loadDraft, loadEdit, saveDraft, saveEdit, type Draft, type Quoted } from "../../keep";
import { patch, sentence } from "../../net/http";
import { messageAt } from "../../state/timeline";
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
  /** Why an edit was not taken. */
  trouble = $state("");
  busy = $state(false);
  /** Rises whenever the one who writes is called back to the field. */
  calls = $state(0);

  /** What is being answered or changed, as far as it is known here, is there no more. */
  readonly gone = $derived.by(() => {
    const { [this.room]: timeline } = this.chat.state.timelines;
    const now = this.intent && timeline && messageAt(timeline, this.intent.message.seq);
    return now ? now.body === null : false;
  });

  /** While something is edited: what was being written before. */
  #aside: Draft = { text: "" };
  /** The draft's text as the browser had it when we last looked. */
  #seen = "";

  constructor(
    readonly chat: Chat,
    readonly room: number,
  ) {
    this.#take(loadDraft(this.#user, room));
    const edit = loadEdit(this.#user, room);
    if (edit) this.#edit(edit.message, edit.text);
    followDraft(this.#user, room, this.#heard);
  }

  /** The field says this now. */
  write(text: string): void {
    if (text === this.text) return;
    this.text = text;
    this.#save();
    if (text.trim() && this.intent?.kind !== "edit") this.chat.input({ type: "typing", room: this.room });
  }

  reply(message: Quoted): void {
    if (this.intent?.kind === "edit") this.cancel();
    this.#set(this.text, { kind: "reply", message: quoted(message) });
  }

  edit(message: Quoted): void {
    if (this.intent?.kind === "edit") this.cancel();
    this.#edit(message, message.body ?? "");
    this.#call();
  }

  /** Back to what was being written before, or to a message that answers nothing. */
  cancel(): void {
    if (this.intent?.kind === "edit") this.#restore();
    else this.#set(this.text, null);
  }

  /** A message that was not taken comes back to be written anew. */
  takeBack(one: Outgoing): void {
    if (this.intent?.kind === "edit") this.cancel();
    discard(this.chat, one.key);
    this.#set([one.body, this.text].filter(Boolean).join("\n\n"), this.intent);
  }

  /** Swap what is written for what another window had begun; nothing is lost that way. */
  swap(other: string): void {
    if (this.intent?.kind === "edit") this.cancel();
    const rest = this.others.filter((one) => one !== other);
    this.others = this.text.trim() ? [this.text, ...rest] : rest;
    this.#set(other, this.intent);
  }

  forget(other: string): void {
    this.others = this.others.filter((one) => one !== other);
    this.#save();
  }

  /** Nothing goes out as an answer to what is gone: whoever wants to say it all the same says so. */
  async submit(): Promise<void> {
    if (this.gone && this.intent?.kind === "reply") return;
    if (this.intent?.kind === "edit") return this.#submitEdit(this.intent.message, this.text);
    const answered = this.intent?.message.seq;
    send(this.chat, this.room, this.text, answered);
    this.#set("", null);
  }

  async #submitEdit(message: Quoted, text: string): Promise<void> {
    if (this.busy) return;
    this.busy = true;
    this.trouble = "";
    try {
      if (text !== message.body) await patch(`api/rooms/${this.room}/messages/${message.seq}`, { body: clean(text) });
      // One may have gone on, or elsewhere, while the server was thinking.
      if (this.text === text && this.intent?.message.seq === message.seq) this.#restore();
    } catch (error) {
      this.trouble = sentence(error);
    } finally {
      this.busy = false;
    }
  }

  #edit(message: Quoted, text: string): void {
    this.#aside = this.#draft();
    this.text = text;
    this.intent = { kind: "edit", message: quoted(message) };
  }

  #restore(): void {
    saveEdit(this.#user, this.room, null);
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

  #take({ text, reply, others = [] }: Draft): void {
    this.#seen = text;
    this.text = text;
    this.intent = reply ? { kind: "reply", message: reply } : null;
    this.others = others;
  }

  #draft(): Draft {
    const { text, intent, others } = this;
    const kept = others.length ? { others } : {};
    if (intent?.kind === "edit") return { ...this.#aside, ...kept };
    return { text, ...(intent ? { reply: intent.message } : {}), ...kept };
  }

  #save(): void {
    // Another window may have written without our hearing of it: that is put beside ours, not under it.
    const there = loadDraft(this.#user, this.room).text;
    if (there !== this.#seen && there.trim()) this.#keep(there);
    const draft = this.#draft();
    this.#seen = draft.text;
    saveDraft(this.#user, this.room, draft);
    if (this.intent?.kind === "edit") saveEdit(this.#user, this.room, { message: this.intent.message, text: this.text });
  }

  /** Another window has written: who has nothing of his own here goes along. */
  #heard = (draft: Draft): void => {
    const own = this.#draft().text;
    if (own !== this.#seen && own !== draft.text) return;
    if (this.intent?.kind !== "edit") return this.#take(draft);
    this.#seen = draft.text;
    this.#aside = draft;
    this.others = draft.others ?? [];
  };

  #keep(text: string): void {
    this.others = [text, ...this.others.filter((one) => one !== text)].slice(0, MOST_OTHERS);
  }

  get #user(): number {
    return this.chat.state.me.id;
  }
}

const quoted = ({ seq, by, name, body }: Quoted): Quoted => ({ seq, by, name, body });
