/** What was begun in a room and not sent, by person and room; all windows of a browser share it. */
import { nameOf, ofBrowser, read, write } from "./storage";

export interface Draft {
  readonly text: string;
  /** What it answers. */
  readonly reply?: Quoted;
  /** What other windows had begun and this one would have overwritten. */
  readonly others?: readonly string[];
}

/** An old message that is being changed, and its new words so far. */
export interface Edit {
  readonly message: Quoted;
  readonly text: string;
}

/** As much of a message as one has to see to know which one is meant. */
export interface Quoted {
  readonly seq: number;
  readonly by: number;
  readonly name: string;
  readonly body: string | null;
}

const keyOf = (user: number, room: number): string => `draft.${user}.${room}`;
const editKeyOf = (user: number, room: number): string => `edit.${user}.${room}`;

export function loadDraft(user: number, room: number): Draft {
  return parsed(read(ofBrowser(), keyOf(user, room)));
}

export function loadEdit(user: number, room: number): Edit | null {
  return written<Edit>(read(ofBrowser(), editKeyOf(user, room)));
}

export function saveEdit(user: number, room: number, edit: Edit | null): void {
  write(ofBrowser(), editKeyOf(user, room), edit && JSON.stringify(edit));
}

export function saveDraft(user: number, room: number, draft: Draft): void {
  const empty = !draft.text && !draft.reply && !draft.others?.length;
  write(ofBrowser(), keyOf(user, room), empty ? null : JSON.stringify(draft));
}

/** Call `changed` with the draft whenever another window has written it; returns what ends that. */
export function followDraft(user: number, room: number, changed: (draft: Draft) => void): () => void {
  const heard = ({ key, newValue }: StorageEvent): void => {
    if (key === nameOf(keyOf(user, room))) changed(parsed(newValue));
  };
  addEventListener("storage", heard);
  return () => removeEventListener("storage", heard);
}

const parsed = (text: string | null): Draft => written<Draft>(text) ?? { text: "" };

function written<Kind extends { text: string }>(text: string | null): Kind | null {
  try {
    const found = JSON.parse(text ?? "null") as Kind | null;
    return typeof found?.text === "string" ? found : null;
  } catch {
    return null;
  }
}
