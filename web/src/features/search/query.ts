/** The query of a search: filters as chips, and text. Pure. The server has the same rules. */
import type { SearchFilter } from "../../contract";

export type FilterName = SearchFilter["name"];

export interface Chip {
  readonly name: FilterName;
  readonly value: string;
}

/** The filters with a single value, as written. */
export const FLAGS = { has: "link", is: "pinned", mentions: "me" } as const;
const NAMES = "from|in|before|after|has|is|mentions";
/** A filter with its value, before a space or at the end. */
const WHOLE = new RegExp(`(?<=^|\\s)(${NAMES}):("[^"]+"|[^\\s"]+)(?=\\s|$)`, "giu");
/** A filter that is being typed, directly before the caret. */
const BEGUN = new RegExp(`(?<=^|\\s)(${NAMES}):("[^"]*|[^\\s"]*)$`, "iu");
const DATE = /^(\d{4})(?:-(\d{2}))?(?:-(\d{2}))?$/;

/** A filter that the user is typing: its name, the value so far, and where it stands. */
export interface Begun {
  readonly name: FilterName;
  readonly value: string;
  readonly from: number;
  readonly to: number;
}

export const sameChip = (one: Chip, other: Chip): boolean =>
  one.name === other.name && one.value.toLowerCase() === other.value.toLowerCase();

/** Write a filter as the server reads it. */
export function written({ name, value }: Chip): string {
  const plain = value.replaceAll('"', "");
  return /\s/.test(plain) ? `${name}:"${plain}"` : `${name}:${plain}`;
}

/**
 * Write the query as the server reads it. The filters come first, so that the server sees where the
 * user is typing. A filter that is being typed is left out: its beginning would find nothing.
 */
export const queryOf = (chips: readonly Chip[], text: string): string =>
  [...chips.map(written), text.replace(BEGUN, "").trimStart()].join(" ").trimStart();

export function isDate(value: string): boolean {
  const [, year = "", month = "01", day = "01"] = DATE.exec(value) ?? [];
  const date = new Date(`${year}-${month}-${day}T00:00:00Z`);
  return year !== "" && Number(year) > 0 && !Number.isNaN(date.getTime()) && date.toISOString().slice(8, 10) === day;
}

/** True if the server reads this as a filter rather than as words. */
export function isValid({ name, value }: Chip): boolean {
  if (name === "before" || name === "after") return isDate(value);
  return name in FLAGS ? value === FLAGS[name as keyof typeof FLAGS] : value.trim() !== "";
}

function chipOf(name: string, value: string): Chip {
  const lower = name.toLowerCase() as FilterName;
  const plain = value.replaceAll('"', "").trim();
  return { name: lower, value: lower in FLAGS ? plain.toLowerCase() : plain };
}

/**
 * Take complete filters out of the text. A filter at the end may still be typed: it is taken only if
 * the text is `final`.
 */
export function taken(text: string, final: boolean): { chips: Chip[]; text: string } {
  const chips: Chip[] = [];
  const rest = text.replace(WHOLE, (whole: string, name: string, value: string, at: number) => {
    const chip = chipOf(name, value);
    if ((!final && at + whole.length === text.length) || !isValid(chip)) return whole;
    chips.push(chip);
    return "";
  });
  return { chips, text: chips.length ? rest.replace(/\s{2,}/gu, " ").trimStart() : text };
}

/** Add a filter. There is one date of each kind, and no filter twice. */
export function withChip(chips: readonly Chip[], chip: Chip): readonly Chip[] {
  const single = chip.name === "before" || chip.name === "after";
  return [...chips.filter((one) => !sameChip(one, chip) && !(single && one.name === chip.name)), chip];
}

export function begunAt(text: string, caret: number): Begun | null {
  const found = BEGUN.exec(text.slice(0, caret));
  if (!found?.[1]) return null;
  const value = (found[2] ?? "").replace(/^"/, "");
  return { name: found[1].toLowerCase() as FilterName, value, from: caret - found[0].length, to: caret };
}

const iso = (date: Date): string =>
  `${date.getFullYear()}-${String(date.getMonth() + 1).padStart(2, "0")}-${String(date.getDate()).padStart(2, "0")}`;

/** Dates to suggest, those that begin with the typed ones; else the typed date itself. */
export function dates(typed: string, now: Date): { value: string; label: string }[] {
  const day = (days: number): string => iso(new Date(now.getFullYear(), now.getMonth(), now.getDate() - days));
  const suggested = [
    { value: day(0), label: "Today" },
    { value: day(1), label: "Yesterday" },
    { value: day(7), label: "A week ago" },
    { value: day(30), label: "30 days ago" },
    { value: `${now.getFullYear()}`, label: "This year" },
  ];
  const wanted = typed.toLowerCase();
  const found = suggested.filter(({ value, label }) => value.startsWith(wanted) || label.toLowerCase().includes(wanted));
  return isDate(typed) && !found.some(({ value }) => value === typed) ? [{ value: typed, label: typed }, ...found] : found;
}
