/**
 * Mentions in a text, by the rules of the server (`hubbub.domain.mentions`). The shared test cases
 * are in `contract/fixtures/mentions.json`. The Markdown parser has excluded code and links before.
 * Pure.
 */
import type { Mentions } from "../../contract";
import { MAX_RUN, MAX_USER_NAME, TRIMMED } from "../../limits";

/**
 * What a name refers to: the user, another user or everyone, or nothing, in which case it is no
 * mention.
 */
export type Meant = (name: string) => "me" | "other" | null;

const SHAPELESS = "\\u034F\\u115F\\u1160\\u17B4\\u17B5\\u180B-\\u180F\\u2800\\u3164\\uFE00-\\uFE0F\\uFFA0\\u{E0100}-\\u{E01EF}";
// A class of single code points; the combining characters among them are meant.
// eslint-disable-next-line no-misleading-character-class
const RUN = new RegExp(`(?:(?![${SHAPELESS}])[\\p{L}\\p{N}\\p{Mn}\\p{Mc}._-])+`, "uy");
const WORD = /[\p{L}\p{N}\p{M}_]$/u;
const TAIL = /[._-]+$/;
const HEAD = /^[._-]+/;

/**
 * Return what follows the `@` at this index: `room`, `here`, or a run that may be a name; null if
 * it is no mention.
 */
export function runAt(text: string, at: number): string | null {
  if (text[at] !== "@" || WORD.test(text.slice(Math.max(0, at - 2), at))) return null;
  RUN.lastIndex = at + 1;
  const run = RUN.exec(text.slice(0, at + 2 * MAX_RUN))?.[0] ?? "";
  const bare = run.replace(TAIL, "");
  if (!bare.replace(HEAD, "") || [...run].length > MAX_RUN) return null;
  if (isGroupMention(bare)) return bare;
  return [...bare.normalize("NFKC")].length <= MAX_USER_NAME ? run : null;
}

export const isGroupMention = (name: string): boolean => /^(?:room|here)$/i.test(name);

/**
 * The possible names in a run, the longest first: with all trailing punctuation, some of it, or
 * none.
 */
export function candidates(run: string): string[] {
  const bare = run.replace(TAIL, "");
  const found = [bare];
  for (let end = Math.max(bare.length + 1, run.length - TRIMMED); end <= run.length; end += 1) found.unshift(run.slice(0, end));
  return found;
}

/**
 * Resolve names by the server's mentions of a message. While the names of members are not loaded,
 * any name counts as a mention if the message mentions an unknown user.
 */
export function meaning(
  mentions: Mentions | undefined,
  me: { id: number; name: string },
  members: readonly { id: number; name: string }[] = [],
): Meant {
  const users = mentions?.users ?? [];
  const ids = new Map([...members, me].map(({ id, name }) => [folded(name), id]));
  return (name) => {
    if (isGroupMention(name)) return mentions?.[name.toLowerCase() as "room" | "here"] ? "me" : null;
    const id = ids.get(folded(name));
    if (id === undefined) return users.some((user) => user !== me.id && !members.some((member) => member.id === user)) ? "other" : null;
    return users.includes(id) ? (id === me.id ? "me" : "other") : null;
  };
}

const folded = (name: string): string => name.normalize("NFKC").toLowerCase();
