/** The text of event lines. Pure. */
import type { NoteItem } from "../../state/notes";

const SHOWN = 3;

export function noteText(notes: readonly [NoteItem, ...NoteItem[]], me: number): string {
  const [{ text }] = notes;
  const names = [...new Map(notes.map(({ text: { id, name } }) => [id, id === me ? "You" : name])).values()];
  if (names.length > 1) return `${listed(names)} ${text.mine ?? text.does}`;
  return `${listed(names)} ${(text.id === me && text.mine) || text.does}`;
}

function listed(names: string[]): string {
  if (names.length <= 1) return names[0] ?? "";
  if (names.length <= SHOWN) return `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
  return `${names.slice(0, SHOWN - 1).join(", ")} and ${names.length - SHOWN + 1} others`;
}
