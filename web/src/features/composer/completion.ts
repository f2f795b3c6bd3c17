/** Completion while writing: names after `@`, emoji after `:`. Pure. */
import { LOUD_MEMBERS, MAX_USER_NAME } from "../../limits";
import type { Room, User } from "../../state/model";
import type { Groups } from "../../ui/emoji";
import { search } from "../../ui/emoji";
import { may } from "../permissions/permissions";
import { contains, ranked } from "../rooms/fuzzy";

/** The incomplete word before the caret, from its `@` or `:` to the caret. */
export interface Begun {
  readonly kind: "name" | "emoji";
  readonly from: number;
  readonly to: number;
  readonly query: string;
}

export interface Suggestion {
  /** The text that replaces the incomplete word. */
  readonly text: string;
  readonly label: string;
  /** Shown before the label: an emoji, or the avatar of the user `id`. */
  readonly emoji?: string;
  readonly id?: number;
  readonly hint?: string;
}

export interface Named {
  readonly id: number;
  readonly name: string;
}

export const MOST = 8;
const NAME = new RegExp(`(?<![\\p{L}\\p{N}\\p{M}_])@([\\p{L}\\p{N}\\p{M}._-]{0,${MAX_USER_NAME}})$`, "u");
const EMOJI = /(?<![\p{L}\p{N}\p{M}_:])(:)([a-z0-9_+-]{2,32})$/iu;
const NEAR = 80;
const LOUD = [
  { text: "room", hint: "Everyone in this room" },
  { text: "here", hint: "Everyone who is online" },
];

export function begunAt(text: string, caret: number): Begun | null {
  const before = text.slice(Math.max(0, caret - NEAR), caret);
  const name = NAME.exec(before);
  if (name) return { kind: "name", from: caret - name[0].length, to: caret, query: name[1] ?? "" };
  const emoji = EMOJI.exec(before);
  // `:30` is a time.
  return emoji && /\D/.test(emoji[2] ?? "") ? { kind: "emoji", from: caret - emoji[0].length, to: caret, query: emoji[2] ?? "" } : null;
}

/**
 * Members whose names contain the query, the best match first; then `@room` and `@here` if the user
 * may use them. `members` are those the client knows, `found` those the server has found.
 */
export function names(members: readonly Named[], query: string, mayMentionAll: boolean, found: readonly Named[] = []): Suggestion[] {
  const byName = new Intl.Collator();
  const known = members.filter(({ name }) => contains(name, query)).sort((a, b) => byName.compare(a.name, b.name));
  const ids = new Set(known.map(({ id }) => id));
  const all = [...known, ...found.filter(({ id }) => !ids.has(id))];
  const people = ranked(
    query,
    all.map((one) => ({ ...one, key: String(one.id) })),
    [],
    ({ name }) => name,
    MOST,
  );
  const begins = (text: string): boolean => text.startsWith(query.toLowerCase());
  const loud = LOUD.filter(({ text }) => mayMentionAll && begins(text)).map(({ text, hint }) => ({
    text: `@${text} `,
    label: `@${text}`,
    hint,
  }));
  return [...people.slice(0, MOST - loud.length).map(({ id, name }) => ({ text: `@${name} `, label: name, id })), ...loud];
}

export function emoji(groups: Groups, query: string, recent: readonly string[]): Suggestion[] {
  return search(groups, query, recent, MOST).map((one) => ({
    text: `${one.emoji} `,
    label: `:${one.names.find((name) => name.includes(query.toLowerCase())) ?? one.names[0]}:`,
    emoji: one.emoji,
  }));
}

/** An emoji `:name:` is complete at its second colon. */
export function whole(groups: Groups, text: string, caret: number): (Begun & { emoji: string }) | null {
  const before = text.slice(Math.max(0, caret - NEAR), caret);
  const name = before.endsWith(":") ? EMOJI.exec(before.slice(0, -1))?.[2]?.toLowerCase() : undefined;
  const found = name && groups.flat().find(({ names }) => names.includes(name));
  return found ? { kind: "emoji", from: caret - name.length - 2, to: caret, query: name, emoji: found.emoji } : null;
}

/** Without this right the words are plain text. */
export const mayMentionAll = (me: Pick<User, "role">, room: Room): boolean =>
  may(room.member_count <= LOUD_MEMBERS ? "mention small room" : "mention room", me, room);
