/** What one person has begun in the rooms and not sent; all windows of a browser share it. */
import { keys, nameOf, ofBrowser, read, stored, write } from "./storage";

export interface Draft {
  readonly text: string;
  /** What it answers. */
  readonly reply?: Quoted;
  /** What other windows had begun and this one would have overwritten. */
  readonly others?: readonly string[];
  /** New words for old messages, put aside for something else. */
  readonly edits?: readonly Edit[];
}

/** An old message that is being changed, and its new words so far. */
export interface Edit {
  readonly message: Quoted;
  readonly text: string;
}

/** Which message is meant. Not its words: they may be deleted, and nobody would delete them here. */
export interface Quoted {
  readonly seq: number;
  readonly by: number;
  readonly name: string;
}

/** Whoever writes in a room, as long as this window is open. */
export interface Writer {
  /** Another window has written the draft. */
  heard(draft: Draft): void;
  /** This was on its way and comes back. */
  takeIn(text: string): void;
}

export class Drafts {
  /** How many texts are begun in which rooms; rooms without any are left out. */
  held: ReadonlyMap<number, number> = $state.raw(new Map());
  readonly #writers = new Map<number, Writer>();
  #running: AbortController | null = null;

  constructor(readonly user: number) {}

  start(): void {
    this.#running = new AbortController();
    addEventListener("storage", this.#changed, { signal: this.#running.signal });
    const places = ["draft", "edit"].flatMap((what) => keys(ofBrowser(), `${what}.${this.user}.`));
    for (const place of places) this.#count(Number(place.split(".")[2]));
  }

  /** From here on nothing is written: what is wiped meanwhile does not come back. */
  stop(): void {
    this.#running?.abort();
    this.#running = null;
  }

  /** There is one writer in each room. */
  follow(room: number, writer: Writer): void {
    this.#writers.set(room, writer);
  }

  load(room: number): Draft {
    return parsed(read(ofBrowser(), this.#place(room)));
  }

  /** As all windows of this browser know it. */
  shared(room: number): Draft {
    return parsed(stored(ofBrowser(), this.#place(room)));
  }

  /** False if the browser does not store it: then it is known in this window alone. */
  save(room: number, draft: Draft): boolean {
    const empty = !draft.text && !draft.reply && !draft.others?.length && !draft.edits?.length;
    return this.#write(room, this.#place(room), empty ? null : draft);
  }

  /** Everything begun in this room, the last first. */
  texts(room: number): string[] {
    const { text, others = [], edits = [] } = this.load(room);
    const edit = this.loadEdit(room)?.text ?? "";
    return [edit, text, ...others, ...edits.map((one) => one.text)].filter((one) => one.trim());
  }

  loadEdit(room: number): Edit | null {
    return written<Edit>(read(ofBrowser(), this.#editPlace(room)));
  }

  saveEdit(room: number, edit: Edit | null): void {
    this.#write(room, this.#editPlace(room), edit);
  }

  /** What cannot be sent there any more stands before what was begun since. */
  takeBack(room: number, text: string): void {
    const writer = this.#writers.get(room);
    if (writer) return writer.takeIn(text);
    const draft = this.load(room);
    this.save(room, { ...draft, text: joined(text, draft.text) });
  }

  readonly #changed = ({ key, newValue }: StorageEvent): void => {
    for (const [room, writer] of this.#writers) if (key === nameOf(this.#place(room))) writer.heard(parsed(newValue));
    for (const what of ["draft", "edit"]) {
      const before = nameOf(`${what}.${this.user}.`);
      if (key?.startsWith(before)) this.#count(Number(key.slice(before.length)));
    }
  };

  #write(room: number, place: string, value: Draft | Edit | null): boolean {
    const done = !this.#running || write(ofBrowser(), place, value && JSON.stringify(value));
    if (this.#running) this.#count(room);
    return done;
  }

  #count(room: number): void {
    const count = this.texts(room).length;
    if (count === (this.held.get(room) ?? 0)) return;
    const held = new Map(this.held);
    if (count) held.set(room, count);
    else held.delete(room);
    this.held = held;
  }

  #place(room: number): string {
    return `draft.${this.user}.${room}`;
  }

  #editPlace(room: number): string {
    return `edit.${this.user}.${room}`;
  }
}

/** One text before the other, unless it stands there already: each window takes back what all of them had on its way. */
export function joined(text: string, rest: string): string {
  return `\n\n${rest}\n\n`.includes(`\n\n${text}\n\n`) ? rest : [text, rest].filter(Boolean).join("\n\n");
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
