/** The texts of events that are lines between messages. Pure. */
import type { MemberRoleChanged, RoomUpdated } from "./events";

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

/** The actor did something. */
export const did = (event: { by: number; name: string }, does: string): NoteText => ({ id: event.by, name: event.name, does });

/** Another user did something to a user. */
export const became = (event: { user: number; user_name: string }, what: string): NoteText => ({
  id: event.user,
  name: event.user_name,
  does: `was ${what}`,
  mine: `were ${what}`,
});

/** A user came or went. */
export const moved = (event: { user: number; user_name: string }, does: string): NoteText => ({
  id: event.user,
  name: event.user_name,
  does,
  gathers: true,
});

const ROLES = { owner: "the owner", moderator: "a moderator", member: "a member" } as const;

export const roleNote = ({ user, user_name: name, role }: MemberRoleChanged): NoteText => ({
  id: user,
  name,
  does: `is now ${ROLES[role]}`,
  mine: `are now ${ROLES[role]}`,
});

export function updateNote(event: RoomUpdated): NoteText {
  const { name, topic, description, history } = event.changes;
  const found: string[] = [];
  if (name !== undefined) found.push(`renamed this room to “${name}”`);
  if (topic !== undefined) found.push(topic ? `set the topic to “${topic}”` : "removed the topic");
  if (description !== undefined) found.push(description ? "changed the description" : "removed the description");
  if (history !== undefined)
    found.push(history === "all" ? "made earlier messages visible to new members" : "hid earlier messages from new members");
  return did(event, found.join(", ") || "changed this room");
}
