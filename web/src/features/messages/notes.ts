/** Event lines in words. Pure. */
import type { NoteItem } from "../../state/timeline";

const SHOWN = 3;

export function noteText(notes: readonly [NoteItem, ...NoteItem[]], me: number): string {
  const [first] = notes;
  const names = [...new Map(notes.map((note) => [note.user, note.user === me ? "You" : note.name])).values()];
  switch (first.kind) {
    case "joined":
      return `${listed(names)} joined`;
    case "left":
      return `${listed(names)} left`;
    case "removed":
      return `${listed(names)} ${first.user === me ? "were" : "was"} removed`;
    case "created":
      return `${listed(names)} created this room`;
  }
}

function listed(names: string[]): string {
  if (names.length <= 1) return names[0] ?? "";
  if (names.length <= SHOWN) return `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
  return `${names.slice(0, SHOWN - 1).join(", ")} and ${names.length - SHOWN + 1} others`;
}
