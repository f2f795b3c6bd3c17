/** What the user wrote and no server has: drafts, messages on their way, messages that were refused. */
import type { Chat } from "../../chat.svelte";
import { counted } from "../rooms/names";

export type Kind = "draft" | "unsent" | "failed";

export interface Unsent {
  readonly kind: Kind;
  readonly room: number;
  readonly text: string;
}

const WORDS: readonly (readonly [Kind, string, string])[] = [
  ["draft", "draft", "drafts"],
  ["unsent", "unsent message", "unsent messages"],
  ["failed", "failed message", "failed messages"],
];

/** All of it, in every room, also in those that the user is no longer in. */
export function allUnsent(chat: Chat): Unsent[] {
  const drafts = [...chat.drafts.held.keys()].flatMap((room) => chat.drafts.texts(room).map((text) => ({ kind: "draft" as const, room, text })));
  const messages = chat.sync.outbox.filter(({ status }) => status !== "sent");
  return [...messages.map(({ status, room, body }) => ({ kind: status === "failed" ? ("failed" as const) : ("unsent" as const), room, text: body })), ...drafts];
}

/** How many messages to this room were refused. */
export const failedIn = (chat: Chat, room: number): number => chat.sync.outbox.filter((one) => one.room === room && one.status === "failed").length;

/** The rooms that wait for the user to finish something. */
export const unfinished = (chat: Chat): Set<number> =>
  new Set([...chat.drafts.held.keys(), ...chat.sync.outbox.flatMap(({ room, status }) => (status === "failed" ? [room] : []))]);

/** "2 drafts and 1 unsent message". */
export function inWords(unsent: readonly Unsent[]): string {
  const parts = WORDS.flatMap(([kind, one, many]) => {
    const count = unsent.filter((each) => each.kind === kind).length;
    return count ? [counted(count, one, many)] : [];
  });
  return new Intl.ListFormat("en").format(parts);
}
