/**
 * One person's chat: runs the machines with the real world and holds what the screens show.
 * The only place where net, sync and state meet; features ask it, and it asks none of them.
 */
import { tick } from "svelte";
import { forgetEverything, loadOutbox, saveOutbox } from "./keep";
import { idle, type LinkState } from "./net/link";
import { socketUrl } from "./net/places";
import { Socket } from "./net/socket";
import { roomReset, welcomed } from "./state/load";
import type { User } from "./state/model";
import { reduce } from "./state/reduce";
import { initial, type State } from "./state/state";
import type { Frame } from "./sync/frames";
import { empty, stepSync, type SyncEffect, type SyncInput, type SyncState } from "./sync/machine";

export const PROTOCOL = "hubbub.v1";
const PICTURE_MS = 16;
/** Instead of a close code: this browser's cookie is another person's by now, so this window is nobody's. */
export const SUPERSEDED = 0;

export class Chat {
  state: State = $state.raw(undefined as unknown as State);
  sync: SyncState = $state.raw(empty);
  link: LinkState = $state.raw(idle);
  /** The session is over: `code` is the close code that said so. */
  ended: { code: number } | null = $state.raw(null);

  readonly #socket: Socket;
  readonly #inbox: string[] = [];
  #takenInAt = Number.NEGATIVE_INFINITY;
  #soon: ReturnType<typeof setTimeout> | undefined;
  #renewing = false;
  /** The other windows of this browser, which share our cookie. */
  #windows: BroadcastChannel | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(me: User) {
    this.state = initial(me);
    this.sync = { ...empty, outbox: loadOutbox(me.id) };
    this.#socket = new Socket(socketUrl(), PROTOCOL, JSON.stringify({ type: "ping" }), {
      opened: () => this.input({ type: "opened" }),
      heard: (text) => this.#heard(text),
      lost: () => this.#lost(),
      changed: (link) => this.#linkChanged(link),
    });
  }

  start = (): void => {
    this.#socket.start();
    this.#windows = new BroadcastChannel("hubbub.me");
    this.#windows.onmessage = ({ data }: MessageEvent<unknown>) => this.#check(data as number);
    this.#windows.postMessage(this.state.me.id);
    addEventListener("online", this.#socket.wake);
    document.addEventListener("visibilitychange", this.#seen);
  };

  stop = (): void => {
    removeEventListener("online", this.#socket.wake);
    document.removeEventListener("visibilitychange", this.#seen);
    this.#windows?.close();
    clearTimeout(this.#timer);
    this.#socket.stop();
  };

  /** What is on the screen and on its way out belongs to one person: never send it as another one. */
  #check(user: number): boolean {
    if (user === this.state.me.id) return true;
    this.stop();
    this.ended = { code: SUPERSEDED };
    return false;
  }

  /** Run something that ends this session, off the line, so that its end is no surprise; on again if it fails. */
  async depart(run: () => Promise<void>): Promise<void> {
    this.stop();
    try {
      await run();
    } catch (error) {
      this.start();
      throw error;
    }
  }

  /** Try to connect now rather than at the end of the wait. */
  reconnectNow = (): void => this.#socket.wake();

  /**
   * Run something that may give this browser a new session, such as a change of password, and connect with the new
   * one; that the old one ends meanwhile is no farewell.
   */
  async renew(run: () => Promise<void>): Promise<void> {
    this.#renewing = true;
    try {
      await run();
      this.#socket.restart();
    } finally {
      this.#renewing = false;
      if (this.link.phase === "stopped") this.#socket.start();
    }
  }

  /** Replace what the screens show by a pure function of it. */
  update(change: (state: State) => State): void {
    this.state = change(this.state);
  }

  input(input: SyncInput): void {
    if (input.type === "frame" && "user" in input.frame && input.frame.type === "welcome" && !this.#check(input.frame.user.id)) return;
    const before = this.sync;
    const [after, effects] = stepSync(before, input, Date.now());
    this.sync = after;
    if (after.outbox !== before.outbox) saveOutbox(this.state.me.id, after.outbox);
    for (const effect of effects) this.#run(effect);
  }

  #run(effect: SyncEffect): void {
    switch (effect.type) {
      case "transmit":
        this.#socket.send(JSON.stringify(effect.command));
        return;
      case "welcome":
        this.#socket.settled();
        return this.update((state) => welcomed(state, effect.welcome, effect.fresh));
      case "event":
        return this.update((state) => reduce(state, effect.event));
      case "reset":
        return this.update((state) => roomReset(state, Number(effect.topic.slice("room:".length))));
      case "start over":
        return this.#socket.restart();
      case "timer":
        clearTimeout(this.#timer);
        this.#timer = setTimeout(() => this.input({ type: "timer" }), Math.max(0, effect.at - Date.now()));
        return;
    }
  }

  /** A lone frame is taken in at once; in a flood, what came during one picture of the screen is taken in together. */
  #heard(text: string): void {
    this.#inbox.push(text);
    const wait = this.#takenInAt + PICTURE_MS - performance.now();
    if (wait <= 0) this.#takeIn();
    else this.#soon ??= setTimeout(this.#takeIn, wait);
  }

  #takeIn = (): void => {
    clearTimeout(this.#soon);
    this.#soon = undefined;
    for (const text of this.#inbox.splice(0)) this.input({ type: "frame", frame: JSON.parse(text) as Frame });
    // Counted from the end of the drawing, so that there is always time left for the person.
    this.#takenInAt = performance.now();
    void tick().then(() => (this.#takenInAt = performance.now()));
  };

  #lost(): void {
    this.#takeIn();
    this.input({ type: "lost" });
  }

  #linkChanged(link: LinkState): void {
    this.link = link;
    if (link.phase !== "stopped" || this.#renewing) return;
    this.stop();
    if (link.code !== 4501) forgetEverything();
    this.ended = { code: link.code };
  }

  #seen = (): void => {
    if (document.visibilityState === "visible") this.#socket.wake();
  };
}
