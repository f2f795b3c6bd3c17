/** Times in the user's language and time zone. */

const REMEMBERED = 1_000;
const CLOCK = new Intl.DateTimeFormat(undefined, { hour: "numeric", minute: "2-digit" });
const FULL = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const DAY = new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long" });
const DAY_YEAR = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "long", year: "numeric" });

export const clock = eachMinute((at) => CLOCK.format(at));
export const full = eachMinute((at) => FULL.format(at));

/** A short form without AM and PM. */
export const clockFace = eachMinute((at) => {
  const parts = CLOCK.formatToParts(at).filter((part) => part.type !== "dayPeriod");
  return parts
    .map((part) => part.value)
    .join("")
    .trim();
});

/** Say when the shown state was current: with the date if it is not today. */
export function asOf(at: number): string {
  const isToday = new Date(at).toDateString() === new Date().toDateString();
  return `Last updated ${isToday ? clock(at) : full(at)}.`;
}

/** Cache by minute: formatting is slow, and many messages share their minute. */
function eachMinute(format: (at: Date) => string): (at: string | number) => string {
  const known = new Map<number, string>();
  return (at) => {
    const date = new Date(at);
    const minute = Math.floor(date.getTime() / 60_000);
    const found = known.get(minute) ?? format(date);
    if (known.size > REMEMBERED) known.clear();
    known.set(minute, found);
    return found;
  };
}

export function day(at: string, now: Date = new Date()): string {
  const date = new Date(at);
  const midnight = (when: Date): number => new Date(when.getFullYear(), when.getMonth(), when.getDate()).getTime();
  const days = Math.round((midnight(now) - midnight(date)) / 86_400_000);
  if (days === 0) return "Today";
  if (days === 1) return "Yesterday";
  return (date.getFullYear() === now.getFullYear() ? DAY : DAY_YEAR).format(date);
}
