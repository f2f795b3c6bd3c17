/**
 * The chat of one user: runs the state machines with the real network, clock and storage, and holds
 * the state that the screens show. The only place where net, sync and state meet. Features call it;
 * it calls no feature.
 */
import { tick } from "svelte";
import type { Hello, Site } from "./contract";
import { Drafts, forgetPerson, forgetSnapshot, StoredOutbox, SnapshotWriter, takeSnapshot, wouldLose, type Restored } from "./persistence";
import { Inbox } from "./net/inbox";
import { idle, type LinkState } from "./net/link";
import { renewed, token } from "./net/tokens";
import { root, socketUrl } from "./net/urls";
import { Socket } from "./net/socket";
import { entryOf } from "./state/event_types";
import { welcomed } from "./state/load";
import type { User } from "./state/model";
import { quiet, signalled, type Signals } from "./state/presence";
import { reduce } from "./state/reduce";
import { roomReset } from "./state/rooms";
import { initial, type State } from "./state/state";
import type { Frame } from "./sync/frames";
import type { Outbox } from "./sync/outbox";
import { empty, stepSync, type SyncEffect, type SyncInput, type SyncState } from "./sync/machine";

export const PROTOCOL = "hubbub.v1";
/** One frame of the display, in ms. */
const FRAME_MS = 16;
/**
 * How long received frames are processed at a time (ms) before the screen is drawn and the user can
 * act.
 */
const TURN_MS = 12;
/**
 * Used in place of a close code: the browser's cookie now belongs to another user, so this window
 * has no session.
 */
export const SUPERSEDED = 0;
export const NOT_AUTHENTICATED = 4501;
const SESSION_ENDED = 4503;
const ACCOUNT_CLOSED = 4510;

/**
 * Messages between the windows of a browser, which share one cookie: the logged-in user, or that
 * the user's session is over.
 */
type WindowMessage = { user: number; over?: true };
const windows = (): BroadcastChannel => new BroadcastChannel(`hubbub ${root().pathname}`);

/** Messages to a room that were returned unsent. */
export interface Unsent {
  readonly room: number;
  readonly name: string | null;
  readonly count: number;
}

export class Chat {
  state: State = $state.raw(undefined as unknown as State);
  sync: SyncState = $state.raw(empty);
  /** Presence and typing, which are never stored. */
  signals: Signals = $state.raw(quiet);
  link: LinkState = $state.raw(idle);
  /** Set once the session is over. `code` is the close code. */
  ended: { code: number } | null = $state.raw(null);
  /** The time of the shown state in ms since 1970, if it is not current; else null. */
  asOf: number | null = $state.raw(null);
  /**
   * Unsent messages to rooms that the user has left, until the user dismisses the notice. Their
   * text is now a draft.
   */
  unsent: readonly Unsent[] = $state.raw([]);
  /** The drafts in all rooms. */
  readonly drafts: Drafts;
  /** True once the server has confirmed the user. Until then the user comes from the snapshot. */
  confirmed = false;

  readonly #socket: Socket;
  readonly #inbox = new Inbox((text) => this.input({ type: "frame", frame: JSON.parse(text) as Frame }));
  #heardAt = 0;
  #processedAt = Number.NEGATIVE_INFINITY;
  #soon: ReturnType<typeof setTimeout> | undefined;
  #renewing = false;
  /** The token of the last `hello`. */
  #token: string | null = null;
  #greetings = 0;
  /** Another token has been tried since the last welcome. */
  #retried = false;
  /** The channel to the other windows of this browser, which share the cookie. */
  #windows: BroadcastChannel | undefined;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #outbox: StoredOutbox | undefined;
  #snapshotWriter: SnapshotWriter | undefined;

  constructor(
    me: User,
    /** The site as it was when the page was loaded. */
    readonly loadedSite: Site,
    /** The stored snapshot to start from. */
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

  /** The site, with what has changed since the page was loaded. */
  get site(): Site {
    return { ...this.loadedSite, ...this.state.site };
  }

  start = (): void => {
    const me = this.state.me.id;
    this.#outbox = new StoredOutbox(me, {
      found: (outbox) => this.input({ type: "found", outbox }),
      gone: (key) => this.input({ type: "discard", key }),
      isConnected: () => this.sync.live,
    });
    // The host application may log the user out while no window of ours is open; then nothing of
    // them may be left here. So write no snapshot.
    if (this.site.accounts !== "host") this.#snapshotWriter = new SnapshotWriter(me, this.restored?.recent ?? [], this.#takeSnapshot);
    this.drafts.start();
    this.#socket.start();
    this.#windows = windows();
    this.#windows.onmessage = ({ data }: MessageEvent<WindowMessage>) => this.#windowMessage(data);
    this.#windows.postMessage({ user: me } satisfies WindowMessage);
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

  #windowMessage({ user, over }: WindowMessage): void {
    if (!over) return void this.#check(user);
    if (user === this.state.me.id) this.#end(SESSION_ENDED, true);
  }

  /** The screen and the outbox belong to one user: never send them as another one. */
  #check(user: number): boolean {
    if (user === this.state.me.id) return true;
    this.stop();
    this.ended = { code: SUPERSEDED };
    return false;
  }

  /**
   * Run an action that ends this session. Disconnect first, so that the end of the session is
   * expected; reconnect if the action fails.
   */
  async depart(run: () => Promise<void>): Promise<void> {
    this.stop();
    try {
      await run();
    } catch (error) {
      this.start();
      throw error;
    }
    const others = windows();
    others.postMessage({ user: this.state.me.id, over: true } satisfies WindowMessage);
    others.close();
  }

  /** Connect now instead of at the end of the wait. */
  reconnectNow = (): void => this.#socket.wake();

  /**
   * Run an action that may give this browser a new session, such as a password change, and connect
   * with the new session. The end of the old session meanwhile is not a log-out.
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

  /** The user has seen the notice about unsent messages to this room. */
  dismissUnsent(room: number): void {
    this.unsent = this.unsent.filter((one) => one.room !== room);
  }

  /** Replace the state by a pure function of it. */
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

  /**
   * Send `hello`, with a token if the host application uses tokens. If it can't be reached, the
   * server ends the connection, and the next one asks for the token again.
   */
  async #greet(hello: Hello): Promise<void> {
    const nth = ++this.#greetings;
    const asked = token();
    const used = asked && (await asked.catch(() => undefined));
    if (used === undefined || nth !== this.#greetings) return;
    this.#token = used;
    this.#socket.send(JSON.stringify(used ? { ...hello, token: used } : hello));
  }

  /** Send the read positions that were reached while disconnected. */
  #catchUpReading(): void {
    queueMicrotask(() => {
      for (const [room, seq] of Object.entries(this.state.reading)) this.input({ type: "read", room: Number(room), seq });
    });
  }

  #run(effect: SyncEffect): void {
    switch (effect.type) {
      case "transmit":
        if (effect.command.type === "hello") return void this.#greet(effect.command);
        this.#socket.send(JSON.stringify(effect.command));
        return;
      case "welcome":
        this.#socket.settled();
        this.confirmed = true;
        this.#retried = false;
        this.asOf = null;
        queueMicrotask(() => this.#outbox?.look());
        this.update((state) => welcomed(state, effect.welcome, effect.fresh));
        return this.#catchUpReading();
      case "signal":
        this.signals = signalled(this.signals, effect.signal, effect.all, Date.now());
        return;
      case "event": {
        const entry = entryOf(effect.event);
        this.signals = entry?.signal?.(this.signals, effect.event) ?? this.signals;
        this.update((state) => reduce(state, effect.event));
        if (entry?.withdraws) this.#snapshotWriter?.lost();
        return;
      }
      case "reset":
        return this.update((state) => roomReset(state, Number(effect.topic.slice("room:".length))));
      case "unsent":
        return this.#returnToDrafts(effect.outbox);
      case "start over":
        return this.#socket.restart();
      case "timer":
        clearTimeout(this.#timer);
        this.#timer = setTimeout(() => this.input({ type: "timer" }), Math.max(0, effect.at - Date.now()));
        return;
    }
  }

  #returnToDrafts(outbox: Outbox): void {
    for (const room of new Set(outbox.map((one) => one.room))) {
      const messages = outbox.filter((one) => one.room === room);
      this.drafts.returnUnsent(room, messages.map((one) => one.body).join("\n\n"));
      const name = this.state.rooms[room]?.name ?? this.state.former[room] ?? null;
      this.unsent = [...this.unsent.filter((one) => one.room !== room), { room, name, count: messages.length }];
    }
  }

  /**
   * A single frame is processed at once. In a flood, all frames of one display frame are processed
   * together.
   */
  #heard(text: string): void {
    this.#heardAt = Date.now();
    // Too far behind: drop the connection. The next one asks page by page for everything not
    // processed until then.
    if (!this.#inbox.add(text)) return this.#socket.restart();
    const wait = this.#processedAt + FRAME_MS - performance.now();
    if (wait <= 0) this.#processInbox();
    else this.#soon ??= setTimeout(this.#processInbox, wait);
  }

  #processInbox = (): void => {
    clearTimeout(this.#soon);
    this.#soon = undefined;
    const more = this.#inbox.run(TURN_MS);
    if (more) this.#soon = setTimeout(this.#processInbox);
    // Measured from the end of drawing, so that there is always time left for the user's input.
    this.#processedAt = performance.now();
    void tick().then(() => (this.#processedAt = performance.now()));
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
    void this.#refused(link.code);
  }

  /** The token of the last connection may have expired: try another one, once. */
  async #refused(code: number): Promise<void> {
    const used = this.#token;
    this.#token = null;
    if (code !== NOT_AUTHENTICATED || !used || this.#retried) return this.#end(code);
    this.#retried = true;
    const again = await renewed(used).catch(() => true);
    if (this.link.phase !== "stopped") return; // the chat has been stopped meanwhile
    if (again) this.#socket.start();
    else this.#end(code);
  }

  /** `loggedOut`: the user logged out in this browser, so everything of them is deleted here. */
  #end(code: number, loggedOut = false): void {
    this.stop();
    const { id } = this.state.me;
    // After an expiry or a revocation from elsewhere, users find their drafts when they log in
    // again; a disabled account may be enabled again. The host application ends a session when the
    // user logs out of it, and cannot ask about drafts first.
    const byHost = this.site.accounts === "host" && (code === SESSION_ENDED || code === ACCOUNT_CLOSED);
    void (loggedOut || byHost ? forgetPerson(id, byHost) : forgetSnapshot(id));
    this.ended = { code };
  }

  #takeSnapshot = (recent: readonly number[]): ReturnType<typeof takeSnapshot> =>
    this.confirmed ? takeSnapshot(this.state, this.sync, this.site, recent, this.asOf ?? Date.now()) : null;

  /**
   * Text that the browser could not store is lost with the page, so the browser asks the user
   * first, in its own words.
   */
  #closing = (event: BeforeUnloadEvent): void => {
    if (wouldLose(this.state.me.id)) event.preventDefault();
  };

  #seen = (): void => {
    if (document.visibilityState === "visible") this.#socket.wake();
  };
}
