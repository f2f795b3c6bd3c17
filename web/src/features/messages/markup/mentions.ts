/**
 * Mentions as they stand in a text, by the rules of the server (`hubbub.domain.mentions`); what both must agree on is
 * in `contract/fixtures/mentions.json`. Where code and links are, Markdown has found out before. Pure.
 */
import type { Mentions } from "../../../contract";

/** What a name may stand for: oneself, somebody else or everybody, or nobody, and then it is no mention. */
export type Meant = (name: string) => "me" | "other" | null;

/** As far as sentences end with signs that names may have too. */
const TRIMMED = 3;
const LONGEST_NAME = 32;
const LONGEST_RUN = 128;
const SHAPELESS = "\\u034F\\u115F\\u1160\\u17B4\\u17B5\\u180B-\\u180F\\u2800\\u3164\\uFE00-\\uFE0F\\uFFA0\\u{E0100}-\\u{E01EF}";
const RUN = new RegExp(`(?:(?![${SHAPELESS}])[\\p{L}\\p{N}\\p{Mn}\\p{Mc}._-])+`, "uy");
const WORD = /[\p{L}\p{N}\p{M}_]$/u;
const TAIL = /[._-]+$/;
const HEAD = /^[._-]+/;

/** What is called by the `@` at this place: `room`, `here` or a run that may be a name; null if nothing is. */
export function runAt(text: string, at: number): string | null {
  if (text[at] !== "@" || WORD.test(text.slice(Math.max(0, at - 2), at))) return null;
  RUN.lastIndex = at + 1;
  const run = RUN.exec(text.slice(0, at + 2 * LONGEST_RUN))?.[0] ?? "";
  const bare = run.replace(TAIL, "");
  if (!bare.replace(HEAD, "") || [...run].length > LONGEST_RUN) return null;
  if (isLoud(bare)) return bare;
  return [...bare.normalize("NFKC")].length <= LONGEST_NAME ? run : null;
}

export const isLoud = (name: string): boolean => /^(?:room|here)$/i.test(name);

/** What a run can stand for, the longest first: with the signs at its end, or with fewer, or with none. */
export function candidates(run: string): string[] {
  const bare = run.replace(TAIL, "");
  const found = [bare];
  for (let end = Math.max(bare.length + 1, run.length - TRIMMED); end <= run.length; end += 1) found.unshift(run.slice(0, end));
  return found;
}

/** By what the server says of a message. Whose names are not loaded counts as meant if anybody is. */
export function meaning(mentions: Mentions | undefined, me: { id: number; name: string }, members: readonly { id: number; name: string }[] = []): Meant {
  const users = mentions?.users ?? [];
  const ids = new Map([...members, me].map(({ id, name }) => [folded(name), id]));
  return (name) => {
    if (isLoud(name)) return mentions?.[name.toLowerCase() as "room" | "here"] ? "me" : null;
    const id = ids.get(folded(name));
    if (id === undefined) return users.some((user) => user !== me.id && !members.some((member) => member.id === user)) ? "other" : null;
    return users.includes(id) ? (id === me.id ? "me" : "other") : null;
  };
}

const folded = (name: string): string => name.normalize("NFKC").toLowerCase();
