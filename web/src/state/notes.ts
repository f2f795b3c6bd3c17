/**
 * Room events other than messages, as lines between messages. The table covers every event type:
 * each has a text, or null. Pure.
 */
import type { ChatEvent, EventOf, RoomUpdated } from "./events";

export interface NoteItem {
  readonly kind: "note";
  readonly seq: number;
  readonly at: string;
  readonly text: NoteText;
}

/** One line: "bob joined". Plain data, since timelines are stored in snapshots. */
export interface NoteText {
  /** The user the line is about. */
  readonly id: number;
  readonly name: string;
  readonly does: string;
  /** The text for "You" if it differs. */
  readonly mine?: string;
  /** Successive lines of the same kind are combined. */
  readonly gathers?: true;
  /** The seq of the message it is about. */
  readonly message?: number;
}

type Lines = { readonly [T in ChatEvent["type"]]: ((event: EventOf<T>) => NoteText) | null };

const did = (event: { by: number; name: string }, does: string): NoteText => ({ id: event.by, name: event.name, does });
const became = (event: { user: number; user_name: string }, what: string): NoteText => ({ id: event.user, name: event.user_name, does: `was ${what}`, mine: `were ${what}` });
const moved = (event: { user: number; user_name: string }, does: string): NoteText => ({ id: event.user, name: event.user_name, does, gathers: true });

const ROLES = { owner: "the owner", moderator: "a moderator", member: "a member" } as const;

export const LINES: Lines = {
  "message.sent": null,
  "message.edited": null,
  "message.deleted": null,
  "message.pinned": (event) => ({ ...did(event, "pinned a message"), message: event.message }),
  "message.unpinned": null,
  "reaction.added": null,
  "reaction.removed": null,
  "member.joined": (event) => (event.by === event.user ? moved(event, "joined") : { ...became(event, "added"), gathers: true }),
  "member.left": (event) => moved(event, "left"),
  "member.removed": (event) => became(event, "removed"),
  "member.banned": (event) => became(event, "banned"),
  "member.unbanned": (event) => became(event, "unbanned"),
  "member.role_changed": ({ user, user_name: name, role }) => ({ id: user, name, does: `is now ${ROLES[role]}`, mine: `are now ${ROLES[role]}` }),
  "room.created": (event) => did(event, "created this room"),
  "room.updated": (event) => did(event, changes(event.changes)),
  "room.archived": (event) => did(event, "archived this room"),
  "room.restored": (event) => did(event, "restored this room"),
  "room.added": null,
  "room.removed": null,
  "room.preferences_changed": null,
  "room.read_moved": null,
  "status.changed": null,
  "session.opened": null,
  "session.closed": null,
};

/**
 * Return the line of an event in its room; null if it has none, or the client does not know its
 * type.
 */
export function noteOf(event: ChatEvent): NoteItem | null {
  if (!event.topic.startsWith("room:") || !Object.hasOwn(LINES, event.type)) return null;
  const line = LINES[event.type] as ((event: ChatEvent) => NoteText) | null;
  return line && { kind: "note", seq: event.seq, at: event.at, text: line(event) };
}

function changes({ name, topic, description, history }: RoomUpdated["changes"]): string {
  const found: string[] = [];
  if (name !== undefined) found.push(`renamed this room to “${name}”`);
  if (topic !== undefined) found.push(topic ? `set the topic to “${topic}”` : "removed the topic");
  if (description !== undefined) found.push(description ? "changed the description" : "removed the description");
  if (history !== undefined) found.push(history === "all" ? "made earlier messages visible to new members" : "hid earlier messages from new members");
  return found.join(", ") || "changed this room";
}
