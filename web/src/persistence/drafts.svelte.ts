/** The unsent drafts of one user, by room; all windows of a browser share them. */
import { keys, nameOf, ofBrowser, read, stored, write } from "./storage";

export interface Draft {
  readonly text: string;
  /** The message it replies to. */
  readonly reply?: Quoted;
  /** Drafts of other windows that this one would have overwritten. */
  readonly others?: readonly string[];
  /** Unsaved edits that were put aside for something else. */
  readonly edits?: readonly Edit[];
}

/** A message that is being edited, and its new text so far. */
export interface Edit {
  readonly message: Quoted;
  readonly text: string;
}

/** Identifies a message. Without its text, which may be deleted later and would stay here. */
export interface Quoted {
  readonly seq: number;
  readonly by: number;
  readonly name: string;
}

/** The composer of a room, as long as this window is open. */
export interface Writer {
  /** Another window has stored the draft. */
  heard(draft: Draft): void;
  /** An outgoing message is returned to the field. */
  prepend(text: string): void;
}

export class Drafts {
  /** The number of unsent texts by room; rooms without any are left out. */
  held: ReadonlyMap<number, number> = $state.raw(new Map());
  readonly #writers = new Map<number, Writer>();
  #running: AbortController | null = null;

  constructor(readonly user: number) {}

  start(): void {
    this.#running = new AbortController();
    addEventListener("storage", this.#changed, { signal: this.#running.signal });
    const storageKeys = ["draft", "edit"].flatMap((what) => keys(ofBrowser(), `${what}.${this.user}.`));
    for (const storageKey of storageKeys) this.#count(Number(storageKey.split(".")[2]));
  }

  /** Stop writing: drafts that are wiped meanwhile must not come back. */
  stop(): void {
    this.#running?.abort();
    this.#running = null;
  }

  /** Register the composer of a room; there is one in each room. */
  follow(room: number, writer: Writer): void {
    this.#writers.set(room, writer);
  }

  load(room: number): Draft {
    return parsed(read(ofBrowser(), this.#key(room)));
  }

  /** Return the draft as all windows of this browser know it. */
  shared(room: number): Draft {
    return parsed(stored(ofBrowser(), this.#key(room)));
  }

  /**
   * Store a draft. Return false if the browser did not store it, so that only this window has it.
   */
  save(room: number, draft: Draft): boolean {
    const empty = !draft.text && !draft.reply && !draft.others?.length && !draft.edits?.length;
    return this.#write(room, this.#key(room), empty ? null : draft);
  }

  /** Return all unsent texts of this room, the newest first. */
  texts(room: number): string[] {
    const { text, others = [], edits = [] } = this.load(room);
    const edit = this.loadEdit(room)?.text ?? "";
    return [edit, text, ...others, ...edits.map((one) => one.text)].filter((one) => one.trim());
  }

  loadEdit(room: number): Edit | null {
    return written<Edit>(read(ofBrowser(), this.#editKey(room)));
  }

  saveEdit(room: number, edit: Edit | null): void {
    this.#write(room, this.#editKey(room), edit);
  }

  /** Put messages that can no longer be sent before the present draft. */
  returnUnsent(room: number, text: string): void {
    const writer = this.#writers.get(room);
    if (writer) return writer.prepend(text);
    const draft = this.load(room);
    this.save(room, { ...draft, text: joined(text, draft.text) });
  }

  readonly #changed = ({ key, newValue }: StorageEvent): void => {
    for (const [room, writer] of this.#writers) if (key === nameOf(this.#key(room))) writer.heard(parsed(newValue));
    for (const what of ["draft", "edit"]) {
      const before = nameOf(`${what}.${this.user}.`);
      if (key?.startsWith(before)) this.#count(Number(key.slice(before.length)));
    }
  };

  #write(room: number, key: string, value: Draft | Edit | null): boolean {
    const done = !this.#running || write(ofBrowser(), key, value && JSON.stringify(value));
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

  #key(room: number): string {
    return `draft.${this.user}.${room}`;
  }

  #editKey(room: number): string {
    return `edit.${this.user}.${room}`;
  }
}

/**
 * Join two texts, unless the first is already there: every window takes back the same outgoing
 * messages.
 */
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
