/**
 * One person's chat: runs the machines with the real world and holds what the screens show.
 * The only place where net, sync and state meet; features ask it, and it asks none of them.
 */
import { tick } from "svelte";
import type { Site } from "./contract";
import { Drafts, forgetPerson, forgetSnapshot, StoredOutbox, SnapshotWriter, takeSnapshot, wouldLose, type Restored } from "./persistence";
import { Inbox } from "./net/inbox";
import { idle, type LinkState } from "./net/link";
import { root, socketUrl } from "./net/urls";
import { Socket } from "./net/socket";
import { roomReset, welcomed } from "./state/load";
import type { User } from "./state/model";
import { quiet, signalled, spoken, type Signals } from "./state/presence";
import { reduce } from "./state/reduce";
import { initial, type State } from "./state/state";
import type { Frame } from "./sync/frames";
import type { Outbox } from "./sync/outbox";
import { empty, stepSync, type SyncEffect, type SyncInput, type SyncState } from "./sync/machine";

export const PROTOCOL = "hubbub.v1";
const PICTURE_MS = 16;
/** So long a flood is taken in at a time; then what has changed is drawn, and the person has a turn. */
const TURN_MS = 12;
/** Instead of a close code: this browser's cookie is another person's by now, so this window is nobody's. */
export const SUPERSEDED = 0;
export const NOT_AUTHENTICATED = 4501;
const SESSION_ENDED = 4503;
const ACCOUNT_CLOSED = 4510;

/** What the windows of a browser tell each other, since they share one cookie: who is in, and whose session is over. */
type Told = { user: number; over?: true };
const windows = (): BroadcastChannel => new BroadcastChannel(`hubbub ${root().pathname}`);

/** So many messages came back. */
export interface Unsent {
  readonly room: number;
  readonly name: string | null;
  readonly count: number;
}

export class Chat {
  state: State = $state.raw(undefined as unknown as State);
  sync: SyncState = $state.raw(empty);
  /** What is true for a moment only. */
  signals: Signals = $state.raw(quiet);
  link: LinkState = $state.raw(idle);
  /** The session is over: `code` is the close code that said so. */
  ended: { code: number } | null = $state.raw(null);
  /** When what is shown was true, if it is not now (ms since 1970). */
  asOf: number | null = $state.raw(null);
  /** What was to be sent to rooms that one is in no longer, until one has taken note; the words are their drafts now. */
  unsent: readonly Unsent[] = $state.raw([]);
  /** What is begun in the rooms. */
  readonly drafts: Drafts;
  /** A server has said that one is who one says; until then one only was. */
  confirmed = false;

  readonly #socket: Socket;
  readonly #inbox = new Inbox((text) => this.input({ type: "frame", frame: JSON.parse(text) as Frame }));
  #heardAt = 0;
  #takenInAt = Number.NEGATIVE_INFINITY;
  #soon: ReturnType<typeof setTimeout> | undefined;
  #renewing = false;
  /** The other windows of this browser, which share our cookie. */
  #windows: BroadcastChannel | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #outbox: StoredOutbox | undefined;
  #snapshotWriter: SnapshotWriter | undefined;

  constructor(
    me: User,
    readonly site: Site,
    /** What this browser has shown the last time, to go on from. */
    readonly restored: Restored | null = null,
  ) {
    this.state = restored?.state ?? initial(me);
    this.drafts = new Drafts(me.id);
    this.sync = restored?.sync ?? empty;
    this.asOf = restored?.at ?? null;
    this.#socket = new Socket(socketUrl(), PROTOCOL, JSON.stringify({ type: "ping" }), {
      opened: () => this.input({ type: "opened" }),
      heard: (text) => this.#heard(text),
      lost: () => this.#lost(),
      changed: (link) => this.#linkChanged(link),
    });
  }

  start = (): void => {
    const me = this.state.me.id;
    this.#outbox = new StoredOutbox(me, {
      found: (outbox) => this.input({ type: "found", outbox }),
      gone: (key) => this.input({ type: "discard", key }),
      isConnected: () => this.sync.live,
    });
    // The app around the chat may log somebody out when no window of ours is open: then nothing may be left of him here.
    if (this.site.accounts !== "host") this.#snapshotWriter = new SnapshotWriter(me, this.restored?.recent ?? [], this.#takeSnapshot);
    this.drafts.start();
    this.#socket.start();
    this.#windows = windows();
    this.#windows.onmessage = ({ data }: MessageEvent<Told>) => this.#told(data);
    this.#windows.postMessage({ user: me } satisfies Told);
    this.#outbox.look();
    addEventListener("online", this.#socket.wake);
    document.addEventListener("visibilitychange", this.#seen);
    addEventListener("beforeunload", this.#closing);
  };

  stop = (): void => {
    removeEventListener("online", this.#socket.wake);
    document.removeEventListener("visibilitychange", this.#seen);
    removeEventListener("beforeunload", this.#closing);
    this.#windows?.close();
    this.#snapshotWriter?.stop();
    this.#outbox?.stop();
    this.drafts.stop();
    clearTimeout(this.#timer);
    this.#socket.stop();
  };

  #told({ user, over }: Told): void {
    if (!over) return void this.#check(user);
    if (user === this.state.me.id) this.#end(SESSION_ENDED, true);
  }

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
    const others = windows();
    others.postMessage({ user: this.state.me.id, over: true } satisfies Told);
    others.close();
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

  /** What came back from this room has been seen. */
  noted(room: number): void {
    this.unsent = this.unsent.filter((one) => one.room !== room);
  }

  /** Replace what the screens show by a pure function of it. */
  update(change: (state: State) => State): void {
    const before = this.state;
    this.state = change(before);
    if (this.state !== before) this.#snapshotWriter?.changed();
  }

  input(input: SyncInput): void {
    if (input.type === "frame" && "user" in input.frame && input.frame.type === "welcome" && !this.#check(input.frame.user.id)) return;
    const before = this.sync;
    const [after, effects] = stepSync(before, input, Date.now());
    this.sync = after;
    if (after.outbox !== before.outbox) this.#outbox?.save(after.outbox);
    if (after.positions !== before.positions) this.#snapshotWriter?.changed();
    for (const effect of effects) this.#run(effect);
  }

  /** What one has read while nobody could be told. */
  #catchUpReading(): void {
    queueMicrotask(() => {
      for (const [room, seq] of Object.entries(this.state.reading)) this.input({ type: "read", room: Number(room), seq });
    });
  }

  #run(effect: SyncEffect): void {
    switch (effect.type) {
      case "transmit":
        this.#socket.send(JSON.stringify(effect.command));
        return;
      case "welcome":
        this.#socket.settled();
        this.confirmed = true;
        this.asOf = null;
        queueMicrotask(() => this.#outbox?.look());
        this.update((state) => welcomed(state, effect.welcome, effect.fresh));
        return this.#catchUpReading();
      case "signal":
        this.signals = signalled(this.signals, effect.signal, effect.all, Date.now());
        return;
      case "event":
        if (effect.event.type === "message.sent") this.signals = spoken(this.signals, effect.event.room, effect.event.by);
        this.update((state) => reduce(state, effect.event));
        if (effect.event.type === "room.gone") this.#snapshotWriter?.lost();
        return;
      case "reset":
        return this.update((state) => roomReset(state, Number(effect.topic.slice("room:".length))));
      case "unsent":
        return this.#takeBack(effect.outbox);
      case "start over":
        return this.#socket.restart();
      case "timer":
        clearTimeout(this.#timer);
        this.#timer = setTimeout(() => this.input({ type: "timer" }), Math.max(0, effect.at - Date.now()));
        return;
    }
  }

  #takeBack(outbox: Outbox): void {
    for (const room of new Set(outbox.map((one) => one.room))) {
      const messages = outbox.filter((one) => one.room === room);
      this.drafts.takeBack(room, messages.map((one) => one.body).join("\n\n"));
      const name = this.state.rooms[room]?.name ?? this.state.former[room] ?? null;
      this.unsent = [...this.unsent.filter((one) => one.room !== room), { room, name, count: messages.length }];
    }
  }

  /** A lone frame is taken in at once; in a flood, what came during one picture of the screen is taken in together. */
  #heard(text: string): void {
    this.#heardAt = Date.now();
    // Too far behind: what is not taken in until the line is gone is asked for on the next one, page by page.
    if (!this.#inbox.add(text)) return this.#socket.restart();
    const wait = this.#takenInAt + PICTURE_MS - performance.now();
    if (wait <= 0) this.#takeIn();
    else this.#soon ??= setTimeout(this.#takeIn, wait);
  }

  #takeIn = (): void => {
    clearTimeout(this.#soon);
    this.#soon = undefined;
    const more = this.#inbox.run(TURN_MS);
    if (more) this.#soon = setTimeout(this.#takeIn);
    // Counted from the end of the drawing, so that there is always time left for the person.
    this.#takenInAt = performance.now();
    void tick().then(() => (this.#takenInAt = performance.now()));
  };

  #lost(): void {
    clearTimeout(this.#soon);
    this.#soon = undefined;
    this.#inbox.run(Number.POSITIVE_INFINITY);
    if (this.sync.live) this.asOf = this.#heardAt;
    this.input({ type: "lost" });
  }

  #linkChanged(link: LinkState): void {
    this.link = link;
    if (link.phase !== "stopped" || this.#renewing) return;
    this.#end(link.code);
  }

  /** `out`: by a log-out in this browser, after which nothing is left here. */
  #end(code: number, out = false): void {
    this.stop();
    const { id } = this.state.me;
    // A user whose session has run out or was ended from elsewhere finds what they wrote when they log in again; a closed
    // account may be opened again. The host application ends a session when the user logs out of it, and cannot ask.
    const byHost = this.site.accounts === "host" && (code === SESSION_ENDED || code === ACCOUNT_CLOSED);
    void (out || byHost ? forgetPerson(id, byHost) : forgetSnapshot(id));
    this.ended = { code };
  }

  #takeSnapshot = (recent: readonly number[]): ReturnType<typeof takeSnapshot> =>
    this.confirmed ? takeSnapshot(this.state, this.sync, this.site, recent, this.asOf ?? Date.now()) : null;

  /** What the browser could not store is lost with the page: it asks the user first, in its own words. */
  #closing = (event: BeforeUnloadEvent): void => {
    if (wouldLose(this.state.me.id)) event.preventDefault();
  };

  #seen = (): void => {
    if (document.visibilityState === "visible") this.#socket.wake();
  };
}
