/**
 * The actions on a message, in menu order: label, shortcut key (while the message has the focus),
 * who may use it, and its handler. To add an action, add a row.
 */
import type { IconName } from "../../ui/Icon.svelte";
import { composing } from "../composer/composing.svelte";
import { copyLink, copyText, markUnread, pin, unpin, type ActionContext } from "./commands";
import { isThere, mayDelete, mayEdit, mayPin, mayReact, mayReply, maySeeEdits, type ActionTarget } from "../permissions/on_messages";

export type Question = "delete" | "forward" | "edits" | "reactions";

/** What runs an action and can open the emoji picker or a dialog for it. */
export interface ActionHost extends ActionContext {
  pick(seq: number): void;
  ask(what: Question, seq: number): void;
}

export interface Action {
  readonly label: string;
  readonly icon: IconName;
  /**
   * A `KeyboardEvent.key` value. Two actions that are offered together never share a key; j and k
   * move the focus.
   */
  readonly key: string;
  readonly bad?: true;
  /** Shown in the toolbar too. */
  readonly near?: true;
  readonly offered: (target: ActionTarget) => boolean;
  readonly run: (actions: ActionHost, target: ActionTarget) => void;
}

const reactions = ({ message }: ActionTarget): boolean => (message.reactions?.length ?? 0) > 0;

export const ACTIONS: readonly Action[] = [
  {
    label: "Reply",
    icon: "reply",
    key: "r",
    near: true,
    offered: mayReply,
    run: (actions, { room, message }) => composing(actions.chat, room.id).reply(message),
  },
  {
    label: "Edit",
    icon: "write",
    key: "e",
    near: true,
    offered: mayEdit,
    run: (actions, { room, message }) => composing(actions.chat, room.id).edit(message),
  },
  { label: "React", icon: "smile", key: "+", offered: mayReact, run: (actions, { message }) => actions.pick(message.seq) },
  {
    label: "Who reacted",
    icon: "people",
    key: "w",
    offered: reactions,
    run: (actions, { message }) => actions.ask("reactions", message.seq),
  },
  { label: "Pin", icon: "pin", key: "p", offered: (target) => mayPin(target) && !target.message.pinned, run: pin },
  { label: "Unpin", icon: "pin", key: "p", offered: (target) => mayPin(target) && target.message.pinned === true, run: unpin },
  { label: "Forward", icon: "forward", key: "f", offered: isThere, run: (actions, { message }) => actions.ask("forward", message.seq) },
  { label: "Copy text", icon: "copy", key: "c", offered: isThere, run: copyText },
  { label: "Copy link", icon: "link", key: "l", offered: () => true, run: copyLink },
  { label: "Mark as unread", icon: "unread", key: "u", offered: ({ room }) => room.joined, run: markUnread },
  {
    label: "Edit history",
    icon: "clock",
    key: "h",
    offered: maySeeEdits,
    run: (actions, { message }) => actions.ask("edits", message.seq),
  },
  {
    label: "Delete",
    icon: "trash",
    key: "Delete",
    bad: true,
    offered: mayDelete,
    run: (actions, { message }) => actions.ask("delete", message.seq),
  },
];

/** Keyboards without a Delete key send Backspace. */
const ALIASES: Readonly<Record<string, string>> = { Backspace: "Delete" };

export const offered = (target: ActionTarget): Action[] => ACTIONS.filter((action) => action.offered(target));

export function byKey(target: ActionTarget, key: string): Action | undefined {
  const wanted = ALIASES[key] ?? (key.length === 1 ? key.toLowerCase() : key);
  return offered(target).find((action) => action.key === wanted);
}
