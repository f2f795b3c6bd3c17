import type { Chat } from "../../chat.svelte";
import type { ActionTarget } from "../permissions/on_messages";
import type { PendingReactions } from "./pending_reactions.svelte";

/** What shows the messages of a room, to their reactions. */
export interface ReactionHost {
  readonly chat: Chat;
  readonly room: number;
  readonly pendingReactions: PendingReactions;
  /** The message that the emoji picker is open for. */
  readonly picker: { readonly seq: number } | null;
  /** The reaction under the pointer or with the focus. */
  tip: { readonly seq: number; readonly emoji: string; readonly button: HTMLElement } | null;
  target(seq: number): ActionTarget | null;
  react(seq: number, emoji: string): void;
  pick(seq: number): void;
}
