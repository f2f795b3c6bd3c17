/** How people appear, in words; and until when. Pure. */
import type { Presence, Status } from "../../contract";
import { clock, full } from "../../ui/times";

export type Appearance = Presence["status"] | Status["status"];
/** What others see of somebody, or what one has chosen oneself. */
export type Shown = Pick<Presence, "text" | "emoji" | "until"> & { readonly status: Appearance };

export const NAMES: Readonly<Record<Appearance, string>> = {
  online: "online",
  away: "away",
  dnd: "do not disturb",
  invisible: "invisible",
  offline: "offline",
};

/** What somebody says of himself, or "". */
export const said = ({ emoji, text }: Shown): string => [emoji, text].filter(Boolean).join(" ");

/** For behind a name: ", away, 🍝 At lunch"; "" if nothing is known. */
export function behind(shown: Shown | undefined): string {
  return shown ? [NAMES[shown.status], said(shown)].filter(Boolean).map((word) => `, ${word}`).join("") : "";
}

export const endOfDay = (now: Date): Date => new Date(now.getFullYear(), now.getMonth(), now.getDate() + 1);

/** The end of the day where the time is today, else the date with it. */
export function until(at: string, now: Date): string {
  const end = new Date(at);
  if (end.getTime() === endOfDay(now).getTime()) return "until the end of the day";
  return `until ${end < endOfDay(now) ? clock(at) : full(at)}`;
}

/** For how long what one says is true. */
export const SPANS = {
  never: "Until I change it",
  half: "30 minutes",
  hour: "1 hour",
  today: "Today",
  week: "This week",
  custom: "Until …",
} as const;
export type Span = keyof typeof SPANS;

/** The moment a span ends, from now; null for none. `custom` is what a `datetime-local` field has. */
export function endOf(span: Span, custom: string, now: Date): Date | null {
  switch (span) {
    case "never":
      return null;
    case "half":
      return new Date(now.getTime() + 30 * 60_000);
    case "hour":
      return new Date(now.getTime() + 60 * 60_000);
    case "today":
      return endOfDay(now);
    case "week":
      // Weeks end with Sunday (ISO 8601).
      return new Date(now.getFullYear(), now.getMonth(), now.getDate() + 1 + ((7 - now.getDay()) % 7));
    case "custom":
      return new Date(custom);
  }
}

/** For a `datetime-local` field: the time of the clock on the wall, to the minute. */
export function local(at: Date): string {
  const two = (number: number): string => String(number).padStart(2, "0");
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}T${two(at.getHours())}:${two(at.getMinutes())}`;
}
