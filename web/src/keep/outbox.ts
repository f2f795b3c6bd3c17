/** Messages on their way out, of one window: every window sends what was written in it. */
import type { Outbox } from "../sync/outbox";
import { ofWindow, read, write } from "./storage";

const keyOf = (user: number): string => `hubbub.outbox.${user}`;

export function loadOutbox(user: number): Outbox {
  try {
    const kept = JSON.parse(read(ofWindow(), keyOf(user)) ?? "[]") as Outbox;
    return kept.map(({ key, room, body, at }) => ({ key, room, body, at, status: "waiting" }));
  } catch {
    return [];
  }
}

export function saveOutbox(user: number, outbox: Outbox): void {
  const unsent = outbox.filter((one) => one.status !== "sent");
  write(ofWindow(), keyOf(user), unsent.length ? JSON.stringify(unsent) : null);
}
