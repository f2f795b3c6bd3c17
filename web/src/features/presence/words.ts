/** Statuses in words, and their ends. Pure. */
import type { Presence, Status } from "../../contract";
import { clock, full } from "../../ui/times";

export type Appearance = Presence["status"] | Status["status"];
/** What others see of a user, or the user's own choice. */
export type Shown = Pick<Presence, "text" | "emoji" | "until"> & { readonly status: Appearance };

export const NAMES: Readonly<Record<Appearance, string>> = {
  online: "online",
  away: "away",
  dnd: "do not disturb",
  invisible: "invisible",
  offline: "offline",
};

/** The emoji and text of a status, or "". */
export const statusText = ({ emoji, text }: Shown): string => [emoji, text].filter(Boolean).join(" ");

/** Text after a name: ", away, 🍝 At lunch"; "" if nothing is known. */
export function statusSuffix(shown: Shown | undefined): string {
  return shown
    ? [NAMES[shown.status], statusText(shown)]
        .filter(Boolean)
        .map((word) => `, ${word}`)
        .join("")
    : "";
}

export const endOfDay = (now: Date): Date => new Date(now.getFullYear(), now.getMonth(), now.getDate() + 1);

/** "until the end of the day" at midnight; else the time if it is today, or the date and time. */
export function until(at: string, now: Date): string {
  const end = new Date(at);
  if (end.getTime() === endOfDay(now).getTime()) return "until the end of the day";
  return `until ${end < endOfDay(now) ? clock(at) : full(at)}`;
}

/** How long a status lasts. */
export const SPANS = {
  never: "Don't clear",
  half: "30 minutes",
  hour: "1 hour",
  today: "Today",
  week: "This week",
  custom: "Choose date and time",
} as const;
export type Span = keyof typeof SPANS;

/**
 * Return when a span that starts now ends; null for none. `custom` is the value of a
 * `datetime-local` field.
 */
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

/** Format for a `datetime-local` field: local time, to the minute. */
export function local(at: Date): string {
  const two = (number: number): string => String(number).padStart(2, "0");
  return `${at.getFullYear()}-${two(at.getMonth() + 1)}-${two(at.getDate())}T${two(at.getHours())}:${two(at.getMinutes())}`;
}
