/** Commands on messages, and how their outcome is reported at the message. */
import type { Chat } from "../../chat.svelte";
import type { MaybePosition, Position } from "../../contract";
import { post, put, remove, sentence } from "../../net/http";
import { randomKey } from "../../net/keys";
import { root } from "../../net/urls";
import type { Room } from "../../state/model";
import { copy } from "../../ui/clipboard";
import { permalink } from "../timeline/permalinks";
import { marker } from "../unread/marker";
import type { ActionTarget } from "../permissions/on_messages";

/** What a command needs: the chat, and a way to show its outcome at the message. */
export interface ActionContext {
  readonly chat: Chat;
  notify(seq: number, words: string): void;
  showError(seq: number, words: string): void;
  dismiss(): void;
}

const pinOf = (room: number, message: number): string => `api/rooms/${room}/pins/${message}`;

export async function pin(context: ActionContext, { room, message }: ActionTarget): Promise<void> {
  await attempt(context, message.seq, put<MaybePosition>(pinOf(room.id, message.seq), {}));
}

export async function unpin(context: ActionContext, { room, message }: ActionTarget): Promise<void> {
  await attempt(context, message.seq, removePin(room.id, message.seq));
}

export const removePin = (room: number, message: number): Promise<MaybePosition> => remove<MaybePosition>(pinOf(room, message));

export async function deleteMessage(room: number, message: number): Promise<void> {
  await remove<MaybePosition>(`api/rooms/${room}/messages/${message}`);
}

/** `key` is the same for every retry, so that one copy arrives. */
export async function forward(to: Room, from: number, message: number, key: string): Promise<void> {
  await post<Position>(`api/rooms/${to.id}/forwards`, { key, from_room: from, message });
}

export const forwardKey = randomKey;

export async function copyText(context: ActionContext, { message }: ActionTarget): Promise<void> {
  await copied(context, message.seq, message.body ?? "", "Text copied.");
}

export async function copyLink(context: ActionContext, { room, message }: ActionTarget): Promise<void> {
  const address = new URL(permalink(room.id, message.seq), root()).href;
  await copied(context, message.seq, address, "Link copied.");
}

export async function markUnread(context: ActionContext, { room, message }: ActionTarget): Promise<void> {
  await attempt(context, message.seq, marker(context.chat).unread(room.id, message.seq));
}

async function copied(context: ActionContext, seq: number, text: string, words: string): Promise<void> {
  if (await copy(text)) context.notify(seq, words);
  else context.showError(seq, "Couldn't copy. Your browser doesn't allow access to the clipboard.");
}

async function attempt(context: ActionContext, seq: number, answer: Promise<unknown>): Promise<void> {
  context.dismiss();
  try {
    await answer;
  } catch (error) {
    context.showError(seq, sentence(error));
  }
}
