/** Fetch the pinned messages of a room, page by page. */
import type { Chat } from "../../chat.svelte";
import type { PinsPage } from "../../contract";
import { get } from "../../net/http";
import { pinsLoaded } from "../../state/load";
import { roomTopic } from "../../state/model";
import { pinsExtended } from "../../state/pins";

const LIMIT = 20;
const TRIES = 3;

/** Load the first page, again if an event overtook the answer. Return true if there are more. */
export async function loadPins(chat: Chat, room: number): Promise<boolean> {
  for (let tries = 1; ; tries += 1) {
    const before = chat.state.pins[room];
    const page = await get<PinsPage>(`api/rooms/${room}/pins?limit=${LIMIT}`);
    chat.update((state) => pinsLoaded(state, room, page.pins, page.heads[roomTopic(room)] ?? 0));
    if (chat.state.pins[room] !== before || tries === TRIES) return page.more;
  }
}

export async function morePins(chat: Chat, room: number): Promise<boolean> {
  const before = chat.state.pins[room]?.at(-1)?.seq ?? 0;
  const page = await get<PinsPage>(`api/rooms/${room}/pins?limit=${LIMIT}&before=${before}`);
  chat.update((state) => pinsExtended(state, room, page.pins, page.heads[roomTopic(room)] ?? 0));
  return page.more;
}
