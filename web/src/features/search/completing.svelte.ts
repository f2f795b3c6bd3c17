/** The completion of a filter that is being typed: people, rooms, dates. */
import type { Chat } from "../../chat.svelte";
import type { Room } from "../../state/model";
import { findPeople, NameSearch, type Person } from "../people/people.svelte";
import { may } from "../permissions/permissions";
import { best } from "../rooms/fuzzy";
import { othersIn, titleOf } from "../rooms/names";
import { joinedRooms } from "../rooms/rooms";
import { begunAt, dates, FLAGS, type Begun, type Chip } from "./query";

export interface Completion {
  readonly chip: Chip;
  readonly label: string;
  readonly hint?: string;
  readonly person?: Person;
  readonly room?: Room;
}

const MOST = 7;

export class Completing {
  begun: Begun | null = $state.raw(null);
  chosen: number = $state(0);
  readonly #people = new NameSearch<Person>((text) => findPeople(text, MOST));

  constructor(readonly chat: Chat) {}

  readonly items: readonly Completion[] = $derived.by(() => (this.begun ? this.#complete(this.begun) : []));

  /** The text or the caret has changed. */
  look(text: string, caret: number): void {
    const begun = begunAt(text, caret);
    if (begun?.name !== this.begun?.name || begun?.value !== this.begun?.value) this.chosen = 0;
    this.begun = begun;
    if (begun?.name === "from" && may("find people", this.chat.state.me)) this.#people.look(begun.value.trim());
  }

  close(): void {
    this.#people.stop();
    this.begun = null;
  }

  move(by: 1 | -1): void {
    const count = this.items.length;
    if (count) this.chosen = (this.chosen + count + by) % count;
  }

  #complete({ name, value }: Begun): Completion[] {
    if (name === "from") return this.#authors(value.trim());
    if (name === "in") return this.#rooms(value.trim());
    if (name === "before" || name === "after")
      return dates(value, new Date()).map((date) => ({
        chip: { name, value: date.value },
        label: date.label,
        ...(date.label === date.value ? {} : { hint: date.value }),
      }));
    const flag = FLAGS[name];
    return flag.startsWith(value.toLowerCase()) ? [{ chip: { name, value: flag }, label: flag }] : [];
  }

  #authors(value: string): Completion[] {
    const { me } = this.chat.state;
    const mine: Completion = { chip: { name: "from", value: "me" }, label: "Me", hint: me.name, person: me };
    const others = this.#people.found.filter(({ id }) => id !== me.id);
    const found = others.map((person): Completion => ({ chip: { name: "from", value: person.name }, label: person.name, person }));
    const isMe = [mine.label, me.name].some((name) => name.toLowerCase().startsWith(value.toLowerCase()));
    return [...(isMe ? [mine] : []), ...(this.#people.answered === null ? [] : found)].slice(0, MOST);
  }

  /** Only rooms that the user is in have messages to find. */
  #rooms(value: string): Completion[] {
    const me = this.chat.state.me.id;
    const rooms = joinedRooms(this.chat.state).filter((room) => room.kind !== "direct" || othersIn(room, me).length === 1);
    return best(value, rooms, (room) => titleOf(room, me), MOST).map((room) => ({
      chip: { name: "in", value: titleOf(room, me) },
      label: titleOf(room, me),
      room,
      ...(room.archived ? { hint: "Archived" } : {}),
    }));
  }
}
