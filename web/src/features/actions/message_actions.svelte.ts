/**
 * The state of actions on the messages of one room: the current message, open menus and dialogs,
 * and notices.
 */
import { tick } from "svelte";
import type { Chat } from "../../chat.svelte";
import { messageAt } from "../../state/timeline";
import { composes } from "../../ui/input_method";
import type { ReactionHost } from "../reactions/host";
import { PendingReactions } from "../reactions/pending_reactions.svelte";
import { focus, rowOf, seqOf } from "./rows";
import type { ActionTarget } from "../permissions/on_messages";
import { byKey, type Action, type ActionHost, type Question } from "./action_list";

/** A point on the screen, in pixels. */
export interface Spot {
  readonly x: number;
  readonly y: number;
}

/** A message below a row: a short-lived confirmation, or an error. */
export interface Notice {
  readonly seq: number;
  readonly words: string;
  readonly bad: boolean;
  /** The room that the notice links to. */
  readonly to?: number;
}

const NOTICE_MS = 6_000;

export class MessageActions implements ActionHost, ReactionHost {
  hovered: number | null = $state(null);
  focused: number | null = $state(null);
  menu: { readonly seq: number; readonly spot: Spot; readonly byKey: boolean } | null = $state.raw(null);
  picker: { readonly seq: number; readonly spot: Spot } | null = $state.raw(null);
  asked: { readonly what: Question; readonly seq: number } | null = $state.raw(null);
  notice: Notice | null = $state.raw(null);
  tip: ReactionHost["tip"] = $state.raw(null);
  readonly pendingReactions: PendingReactions;
  #list: HTMLElement | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  /** The focused element before a menu or the picker opened. */
  #before: Element | null = null;

  constructor(
    readonly chat: Chat,
    readonly room: number,
  ) {
    this.pendingReactions = new PendingReactions(chat, room, (seq, words) => this.showError(seq, words));
  }

  /** The message as it is now, with the room and the user; null if it is not loaded. */
  target(seq: number): ActionTarget | null {
    const { me, rooms, timelines } = this.chat.state;
    const room = rooms[this.room];
    const timeline = timelines[this.room];
    const message = timeline && messageAt(timeline, seq);
    return room && message ? { me, room, message } : null;
  }

  /** Attach the element that holds the message rows. */
  attach(list: HTMLElement): () => void {
    this.#list = list;
    return () => {
      clearTimeout(this.#timer);
      this.#list = undefined;
    };
  }

  /** True if the toolbar of this message is shown. */
  at(seq: number): boolean {
    return this.hovered === seq || this.focused === seq || this.menu?.seq === seq || this.picker?.seq === seq;
  }

  /** Handle a key in the list. Return true if the key was for a message. */
  keyed(event: KeyboardEvent): boolean {
    const row = rowOf(event.target);
    if (!row || event.ctrlKey || event.metaKey || event.altKey || composes(event)) return false;
    const inside = event.target !== row.firstElementChild;
    if (inside && event.key === "Escape") focus(row);
    if (inside) return event.key === "Escape";
    if (event.key === "Enter" || event.key === "ContextMenu" || (event.key === "F10" && event.shiftKey)) return this.#openAt(row);
    const target = this.target(seqOf(row));
    const action = target && byKey(target, event.key);
    if (action) action.run(this, target);
    return Boolean(action);
  }

  open(seq: number, spot: Spot, byKey = false): void {
    this.#remember();
    this.picker = null;
    this.menu = { seq, spot, byKey };
  }

  /** Close the menu and return the focus. */
  close(): void {
    const { menu } = this;
    this.menu = null;
    if (menu) this.#back(menu.seq);
  }

  choose(action: Action): void {
    const target = this.menu && this.target(this.menu.seq);
    this.close();
    if (target && action.offered(target)) action.run(this, target);
  }

  /** Open the emoji picker next to this message, or close it. */
  pick(seq: number): void {
    if (this.picker?.seq === seq) return this.unpick();
    const row = this.#row(seq);
    if (!row) return;
    const { right, top } = row.getBoundingClientRect();
    this.#remember();
    this.picker = { seq, spot: { x: right - 24, y: top + 24 } };
  }

  unpick(): void {
    const { picker } = this;
    this.picker = null;
    if (picker) this.#back(picker.seq);
  }

  react(seq: number, emoji: string): void {
    const target = this.target(seq);
    const row = this.#row(seq);
    const inside = row?.contains(document.activeElement);
    this.dismiss();
    if (target) void this.pendingReactions.toggle(target.message, emoji);
    // The last reaction of its kind disappears, and its button may have had the focus.
    void tick().then(() => {
      if (row && inside && document.activeElement === document.body) focus(row);
    });
  }

  ask(what: Question, seq: number): void {
    this.dismiss();
    this.asked = { what, seq };
  }

  /** Show a confirmation for a few seconds. */
  notify(seq: number, words: string, to?: number): void {
    this.dismiss();
    this.notice = { seq, words, bad: false, ...(to === undefined ? {} : { to }) };
    this.#timer = setTimeout(() => (this.notice = null), NOTICE_MS);
  }

  /** Show an error until the user does something else. */
  showError(seq: number, words: string): void {
    this.dismiss();
    this.notice = { seq, words, bad: true };
  }

  dismiss(): void {
    clearTimeout(this.#timer);
    this.notice = null;
  }

  #openAt(row: HTMLElement): true {
    const { left, bottom } = (row.querySelector(".body") ?? row).getBoundingClientRect();
    this.open(seqOf(row), { x: left, y: Math.min(bottom, innerHeight - 120) }, true);
    return true;
  }

  #remember(): void {
    if (!this.menu && !this.picker) this.#before = document.activeElement;
  }

  #back(seq: number): void {
    const before = this.#before;
    this.#before = null;
    if (before instanceof HTMLElement && before !== document.body && before.isConnected && before.closest("article"))
      return before.focus({ preventScroll: true });
    if (before instanceof HTMLElement && before.id === "composer") return before.focus({ preventScroll: true });
    const row = this.#row(seq);
    if (row) focus(row);
  }

  #row(seq: number): HTMLElement | null {
    return this.#list?.querySelector<HTMLElement>(`[data-seq="${seq}"]`) ?? null;
  }
}
