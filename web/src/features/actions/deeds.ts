/** What is done with messages, and how one is told that it was or was not. */
import type { Chat } from "../../chat.svelte";
import type { MaybePosition, Position } from "../../contract";
import { post, put, remove, sentence } from "../../net/http";
import { randomKey } from "../../net/keys";
import type { Room } from "../../state/model";
import { copy } from "../../ui/clipboard";
import { permalink } from "../timeline/places";
import { marker } from "../unread/marker";
import type { Scene } from "./rights";

/** Whoever does something with a message, and is told at it what became of it. */
export interface Doer {
  readonly chat: Chat;
  tell(seq: number, words: string): void;
  refuse(seq: number, words: string): void;
  hush(): void;
}

const pinOf = (room: number, message: number): string => `api/rooms/${room}/pins/${message}`;

export async function pin(doer: Doer, { room, message }: Scene): Promise<void> {
  await attempt(doer, message.seq, put<MaybePosition>(pinOf(room.id, message.seq), {}));
}

export async function unpin(doer: Doer, { room, message }: Scene): Promise<void> {
  await attempt(doer, message.seq, letGo(room.id, message.seq));
}

export const letGo = (room: number, message: number): Promise<MaybePosition> => remove<MaybePosition>(pinOf(room, message));

export async function deleteMessage(room: number, message: number): Promise<void> {
  await remove<MaybePosition>(`api/rooms/${room}/messages/${message}`);
}

/** `key` stays the same for as long as one tries, so that one copy arrives. */
export async function forward(to: Room, from: number, message: number, key: string): Promise<void> {
  await post<Position>(`api/rooms/${to.id}/forwards`, { key, from_room: from, message });
}

export const forwardKey = randomKey;

export async function copyText(doer: Doer, { message }: Scene): Promise<void> {
  await copied(doer, message.seq, message.body ?? "", "The text is in your clipboard.");
}

export async function copyLink(doer: Doer, { room, message }: Scene): Promise<void> {
  const address = new URL(permalink(room.id, message.seq), location.href).href;
  await copied(doer, message.seq, address, "The link is in your clipboard.");
}

export async function markUnread(doer: Doer, { room, message }: Scene): Promise<void> {
  await attempt(doer, message.seq, marker(doer.chat).unread(room.id, message.seq));
}

async function copied(doer: Doer, seq: number, text: string, words: string): Promise<void> {
  if (await copy(text)) doer.tell(seq, words);
  else doer.refuse(seq, "The browser does not let this page write to the clipboard.");
}

async function attempt(doer: Doer, seq: number, answer: Promise<unknown>): Promise<void> {
  doer.hush();
  try {
    await answer;
  } catch (error) {
    doer.refuse(seq, sentence(error));
  }
}
