/** Text that no server has: drafts, messages on their way, refused messages. */
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

/** Return all unsent text in all rooms, including rooms that the user has left. */
export function allUnsent(chat: Chat): Unsent[] {
  const drafts = [...chat.drafts.held.keys()].flatMap((room) =>
    chat.drafts.texts(room).map((text) => ({ kind: "draft" as const, room, text })),
  );
  const messages = chat.sync.outbox.filter(({ status }) => status !== "sent");
  return [
    ...messages.map(({ status, room, body }) => ({
      kind: status === "failed" ? ("failed" as const) : ("unsent" as const),
      room,
      text: body,
    })),
    ...drafts,
  ];
}

/** Return how many messages to this room were refused. */
export const failedIn = (chat: Chat, room: number): number =>
  chat.sync.outbox.filter((one) => one.room === room && one.status === "failed").length;

/** Return the rooms with drafts or refused messages. */
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
