/**
 * Keeps this client in sync with the server: what to send on a new connection, which events to
 * apply in which order, what to fetch, what to send again. A pure state machine, (state, input) →
 * [state, effects]. Independent of sockets and screens.
 */
import type { Presences } from "../contract";
import { MAX_PAGE, MAX_WATCHED } from "../limits";
import type { ChatEvent } from "../state/events";
import { isAnswer, isEvent, isReset, type Answer, type Command, type Frame, type Page, type Sent, type Welcome } from "./frames";
import * as outbox from "./outbox";
import { PATIENCE_S, RETRYABLE } from "./outbox";
import * as positions from "./positions";
import * as ephemeral from "./ephemeral";
import type { SyncEffect, SyncInput, SyncState, SyncStep } from "./state";
export { empty, type SyncEffect, type SyncInput, type SyncState } from "./state";

export function stepSync(state: SyncState, input: SyncInput, now: number): SyncStep {
  const transition = new Transition(state, now);
  transition.take(input);
  return [transition.state, transition.effects];
}

/** One step: the state is replaced, never mutated, and effects are collected. */
class Transition {
  readonly effects: SyncEffect[] = [];

  constructor(
    public state: SyncState,
    readonly now: number,
  ) {}

  take(input: SyncInput): void {
    switch (input.type) {
      case "opened":
        return this.hello();
      case "lost":
        return this.lost();
      case "frame":
        return this.frame(input.frame);
      case "send":
        this.set({ outbox: outbox.add(this.state.outbox, { ...input, at: this.now }) });
        return this.pump();
      case "retry":
      case "discard":
        this.set({ outbox: outbox[input.type](this.state.outbox, input.key) });
        return this.pump();
      case "found":
        this.set({ outbox: outbox.joined(this.state.outbox, input.outbox) });
        if (this.state.live) this.returnUnsent((room) => `room:${room}` in this.state.positions);
        return this.pump();
      case "read":
        if (this.state.live) this.transmit({ id: this.id(), type: "room.read", room: input.room, seq: input.seq });
        return;
      case "typing":
        return this.typing(input.room);
      case "idle":
        this.setEphemeral({ idle: input.idle });
        if (this.state.live) this.transmit({ id: this.id(), type: "presence.idle", idle: input.idle });
        return;
      case "watch":
        this.setEphemeral({ watched: input.users.slice(0, MAX_WATCHED) });
        return this.watch();
      case "timer":
        for (const topic of Object.keys(this.state.positions)) this.fill(topic);
        if (this.state.ephemeral.asked === "again") this.watch();
        return this.pump();
    }
  }

  private hello(): void {
    const { epoch, positions: known } = this.state;
    this.transmit(epoch === null ? { type: "hello" } : { type: "hello", epoch, have: positions.have(known) });
  }

  private lost(): void {
    const { outbox: unsent, positions: known, ephemeral: signals } = this.state;
    this.set({ live: false, sends: {}, outbox: outbox.interrupted(unsent) });
    this.set({ positions: positions.interrupted(known), ephemeral: ephemeral.interrupted(signals) });
  }

  private frame(frame: Frame): void {
    if (isAnswer(frame)) return this.answer(frame);
    if (isEvent(frame)) return this.event(frame);
    switch (frame.type) {
      case "welcome":
        return this.welcome(frame);
      case "more":
        this.set({ positions: positions.heardOf(this.state.positions, frame.topic, frame.head) });
        return this.fill(frame.topic);
      case "reset":
        return this.reset(frame.topic, frame.head);
      case "typing":
      case "presence":
        return void this.effects.push({ type: "signal", signal: frame, all: false });
      case "pong":
        return;
    }
  }

  private welcome(welcome: Welcome): void {
    const known = welcome.epoch === this.state.epoch ? this.state.positions : {};
    const named = positions.have(known);
    const fresh: string[] = [];
    let now: positions.Positions = {};
    for (const [topic, head] of Object.entries(welcome.heads)) {
      const before = known[topic];
      if (before?.last == null) {
        now = positions.follow(now, topic, head);
        fresh.push(topic);
      } else {
        // The server replays up to the head, or sends `more` or `reset`.
        now = { ...now, [topic]: { ...before, asking: null } };
        if (!(topic in named)) now = positions.heardOf(now, topic, head);
      }
    }
    this.returnUnsent((room) => welcome.rooms.some(({ id }) => id === room));
    this.set({ live: true, epoch: welcome.epoch, positions: now });
    this.effects.push({ type: "welcome", welcome, fresh });
    for (const topic of fresh) this.settle(topic);
    for (const topic of Object.keys(now)) if (!(topic in named)) this.fill(topic);
    // A new connection starts as active and watches no users.
    if (this.state.ephemeral.idle) this.transmit({ id: this.id(), type: "presence.idle", idle: true });
    if (this.state.ephemeral.watched.length > 0) this.watch();
    this.pump();
  }

  private typing(room: number): void {
    if (!this.state.live || !ephemeral.maySendTyping(this.state.ephemeral, room, this.now)) return;
    this.setEphemeral({ typed: { ...this.state.ephemeral.typed, [room]: this.now } });
    this.transmit({ id: this.id(), type: "typing", room });
  }

  private watch(): void {
    if (!this.state.live) return;
    const id = this.id();
    this.setEphemeral({ asked: id });
    this.transmit({ id, type: "presence.watch", users: [...this.state.ephemeral.watched] });
  }

  private watchAnswered(answer: Answer): void {
    this.setEphemeral({ asked: answer.error ? "again" : null });
    if (answer.error) this.effects.push({ type: "timer", at: this.now + (answer.error.retry_after ?? PATIENCE_S) * 1000 });
    else this.effects.push({ type: "signal", signal: { type: "presence", presences: (answer.ok as Presences).presences }, all: true });
  }

  private event(event: ChatEvent): void {
    switch (positions.judge(this.state.positions, event.topic, event.seq)) {
      case "apply":
        return this.apply(event);
      case "gap":
        this.set({ positions: positions.heardOf(this.state.positions, event.topic, event.seq) });
        return this.fill(event.topic);
      case "unknown":
        // The log of a room may be ahead of the user's topic, which reports that they joined it.
        this.set({ positions: positions.heardOf(this.state.positions, event.topic, event.seq) });
        return;
      case "ignore":
        return;
    }
  }

  private apply(event: ChatEvent): void {
    this.set({ positions: positions.advance(this.state.positions, event.topic, event.seq) });
    if (event.type === "room.removed") this.returnUnsent((room) => room !== event.room);
    this.effects.push({ type: "event", event });
    if (event.type === "room.added") this.enter(event.room, event.details.head ?? 0);
    if (event.type === "room.removed") this.set({ positions: positions.forget(this.state.positions, `room:${event.room}`) });
    this.settle(event.topic, event.type === "message.sent" ? event.key : undefined);
    this.pump();
  }

  /**
   * Return messages to rooms that the user has left; done while the rooms still have their names.
   */
  private returnUnsent(isThere: (room: number) => boolean): void {
    const { still, unsent } = outbox.sorted(this.state.outbox, isThere);
    this.set({ outbox: still });
    if (unsent.length) this.effects.push({ type: "unsent", outbox: unsent });
  }

  private enter(room: number, head: number): void {
    const topic = `room:${room}`;
    if (this.state.positions[topic]?.last != null) return;
    this.set({ positions: positions.follow(this.state.positions, topic, head) });
    this.fill(topic);
  }

  /** Drop messages from the outbox that the log has confirmed. */
  private settle(topic: string, key?: string): void {
    const room = Number(/^room:(\d+)$/.exec(topic)?.[1] ?? Number.NaN);
    const last = this.state.positions[topic]?.last ?? null;
    if (Number.isNaN(room) || last === null) return;
    this.set({ outbox: outbox.arrived(this.state.outbox, room, last, key) });
  }

  private fill(topic: string): void {
    const { epoch, live } = this.state;
    const at = this.state.positions[topic];
    if (!live || epoch === null || !at || at.last === null || !positions.hasGap(this.state.positions, topic)) return;
    if (topic.startsWith("room:") && at.top - at.last > positions.LONGEST_REPLAY) return this.reset(topic, at.top);
    const id = this.id();
    this.set({ positions: positions.asking(this.state.positions, topic, id) });
    this.transmit({ id, type: "events.since", topic, epoch, after: at.last, limit: MAX_PAGE });
  }

  private reset(topic: string, head: number | undefined): void {
    if (head === undefined) return this.set({ positions: positions.forget(this.state.positions, topic) });
    // Already restarted by this `welcome` (another epoch): there is nothing older to drop.
    if (this.state.positions[topic]?.last === head) return;
    if (topic.startsWith("user:")) {
      // The user's topic carries memberships, and only `welcome` has all of them.
      this.set({ epoch: null, positions: {} });
      this.effects.push({ type: "start over" });
      return;
    }
    this.set({ positions: positions.follow(this.state.positions, topic, head) });
    this.effects.push({ type: "reset", topic });
    this.settle(topic);
    this.fill(topic);
  }

  private answer(answer: Answer): void {
    if (answer.re === null) return this.failOpenSends(answer);
    if (answer.re === this.state.ephemeral.asked) return this.watchAnswered(answer);
    const key = this.state.sends[answer.re];
    if (key !== undefined) return this.sendAnswered(answer.re, key, answer);
    const found = Object.entries(this.state.positions).find(([, at]) => at.asking === answer.re);
    if (found) this.pageAnswered(found[0], answer);
  }

  /**
   * The server could not read a frame, and it is unknown which one: fail all open sends, so that
   * the user decides.
   */
  private failOpenSends(answer: Answer): void {
    if (!answer.error) return;
    for (const [id, key] of Object.entries(this.state.sends)) this.sendAnswered(Number(id), key, answer);
  }

  private sendAnswered(id: number, key: string, answer: Answer): void {
    const { [id]: _, ...sends } = this.state.sends;
    const one = this.state.outbox.find((each) => each.key === key);
    this.set({ sends });
    if (answer.error) {
      this.set({ outbox: outbox.refused(this.state.outbox, key, answer.error, this.now) });
    } else {
      this.set({ outbox: outbox.acknowledged(this.state.outbox, key, (answer.ok as Sent).seq) });
      if (one) this.settle(`room:${one.room}`);
    }
    this.pump();
  }

  private pageAnswered(topic: string, answer: Answer): void {
    this.set({ positions: positions.asking(this.state.positions, topic, null) });
    if (answer.error) {
      // If the user has left the room, `room.removed` follows. If the server is busy, ask again after
      // the time it gave.
      const wait = answer.error.retry_after ?? (RETRYABLE.has(answer.error.code) ? PATIENCE_S : null);
      if (wait !== null) this.effects.push({ type: "timer", at: this.now + wait * 1000 });
      return;
    }
    const page = answer.ok as Page;
    if (isReset(page)) return this.reset(topic, page.head);
    const before = this.state.positions[topic]?.last;
    for (const event of page.events) {
      if (positions.judge(this.state.positions, topic, event.seq) === "apply") this.apply(event);
    }
    this.set({ positions: positions.heardOf(this.state.positions, topic, page.head) });
    // A page without progress would bring no progress the next time either.
    if (positions.hasGap(this.state.positions, topic) && this.state.positions[topic]?.last === before) {
      return this.reset(topic, page.head);
    }
    this.fill(topic);
  }

  /** Send due messages and set the timer for postponed ones. */
  private pump(): void {
    if (!this.state.live) return;
    for (const one of outbox.due(this.state.outbox, this.now)) {
      const id = this.id();
      this.set({ outbox: outbox.sending(this.state.outbox, one.key), sends: { ...this.state.sends, [id]: one.key } });
      const answers = one.reply_to ? { reply_to: one.reply_to } : {};
      this.transmit({ id, type: "message.send", room: one.room, key: one.key, body: one.body, ...answers });
    }
    const at = outbox.nextDue(this.state.outbox);
    if (at !== null) this.effects.push({ type: "timer", at });
  }

  private id(): number {
    const id = this.state.nextId;
    this.set({ nextId: id + 1 });
    return id;
  }

  private set(change: Partial<SyncState>): void {
    this.state = { ...this.state, ...change };
  }

  private setEphemeral(change: Partial<ephemeral.Ephemeral>): void {
    this.set({ ephemeral: { ...this.state.ephemeral, ...change } });
  }

  private transmit(command: Command): void {
    this.effects.push({ type: "transmit", command });
  }
}
