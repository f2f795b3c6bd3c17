/**
 * The presence of users whose avatars are on the screen. The server is told which users to watch,
 * shortly after that set changes.
 */
import { createContext } from "svelte";
import type { Attachment } from "svelte/attachments";
import type { Chat } from "../../chat.svelte";
import { current } from "../../state/presence";
import { MAX_WATCHED } from "../../limits";
import { watchIdle } from "./idle";
import type { Shown } from "./words";

const SETTLE_MS = 200;
/** The longest delay of a timer; a longer wait sets another timer then. */
const LONGEST_MS = 2 ** 31 - 1;

/** The presences of the chat around a component. */
export const [presences, providePresences] = createContext<Presences>();

export class Presences {
  #now = $state(Date.now());
  readonly #until = $derived.by(() => this.chat.state.status.until);
  /** The user's own status, until its end. */
  readonly own: Shown = $derived.by(() => current(this.chat.state.status, this.#now));
  /** The user of each avatar element. */
  readonly #people = new Map<Element, number>();
  readonly #inView = new Set<Element>();
  readonly #observer = new IntersectionObserver((entries) => this.#moved(entries));
  #timer: ReturnType<typeof setTimeout> | undefined;
  #watched = "";

  constructor(readonly chat: Chat) {}

  /** Start watching; call it in an effect. Return a function that stops. */
  start(): () => void {
    $effect(() => {
      const left = this.#until === undefined ? 0 : Date.parse(this.#until) - this.#now;
      if (left <= 0) return;
      const ending = setTimeout(() => (this.#now = Date.now()), Math.min(Date.parse(this.#until ?? "") - Date.now() + 50, LONGEST_MS));
      return () => clearTimeout(ending);
    });
    const ends = watchIdle((idle) => this.chat.input({ type: "idle", idle }));
    return () => {
      ends();
      clearTimeout(this.#timer);
      this.#observer.disconnect();
    };
  }

  /** Return a user's presence; undefined if it is unknown or no longer known. */
  of(user: number): Shown | undefined {
    if (user === this.chat.state.me.id) return this.own;
    return this.chat.sync.live ? this.chat.signals.people[user] : undefined;
  }

  /** Watch this user as long as the element is on the screen. */
  follow(user: number): Attachment<Element> {
    return (element) => {
      if (user === this.chat.state.me.id) return;
      this.#people.set(element, user);
      this.#observer.observe(element);
      return () => {
        this.#observer.unobserve(element);
        this.#people.delete(element);
        if (this.#inView.delete(element)) this.#soon();
      };
    };
  }

  #moved(entries: readonly IntersectionObserverEntry[]): void {
    for (const { target, isIntersecting } of entries) {
      if (isIntersecting && this.#people.has(target)) this.#inView.add(target);
      else this.#inView.delete(target);
    }
    this.#soon();
  }

  #soon(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#send(), SETTLE_MS);
  }

  #send(): void {
    const users = new Set([...this.#inView].flatMap((element) => this.#people.get(element) ?? []));
    const wanted = [...users].slice(0, MAX_WATCHED).sort((a, b) => a - b);
    if (wanted.join() === this.#watched) return;
    this.#watched = wanted.join();
    this.chat.input({ type: "watch", users: wanted });
  }
}
