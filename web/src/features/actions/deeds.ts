/** What is done with messages, and how one is told that it was or was not. */
import type { MaybePosition, Position } from "../../contract";
import { post, put, remove, sentence } from "../../net/http";
import { randomKey } from "../../net/keys";
import type { Room } from "../../state/model";
import { copy } from "../../ui/clipboard";
import { permalink } from "../timeline/places";
import { marker } from "../unread/marker";
import type { Acting } from "./acting.svelte";
import type { Scene } from "./rights";

const pinOf = (room: number, message: number): string => `api/rooms/${room}/pins/${message}`;

export async function pin(acting: Acting, { room, message }: Scene): Promise<void> {
  await attempt(acting, message.seq, put<MaybePosition>(pinOf(room.id, message.seq), {}));
}

export async function unpin(acting: Acting, { room, message }: Scene): Promise<void> {
  await attempt(acting, message.seq, letGo(room.id, message.seq));
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

export async function copyText(acting: Acting, { message }: Scene): Promise<void> {
  await copied(acting, message.seq, message.body ?? "", "The text is in your clipboard.");
}

export async function copyLink(acting: Acting, { room, message }: Scene): Promise<void> {
  const address = new URL(permalink(room.id, message.seq), location.href).href;
  await copied(acting, message.seq, address, "The link is in your clipboard.");
}

export async function markUnread(acting: Acting, { room, message }: Scene): Promise<void> {
  await attempt(acting, message.seq, marker(acting.chat).unread(room.id, message.seq));
}

async function copied(acting: Acting, seq: number, text: string, words: string): Promise<void> {
  if (await copy(text)) acting.tell(seq, words);
  else acting.refuse(seq, "The browser does not let this page write to the clipboard.");
}

async function attempt(acting: Acting, seq: number, answer: Promise<unknown>): Promise<void> {
  acting.hush();
  try {
    await answer;
  } catch (error) {
    acting.refuse(seq, sentence(error));
  }
}
