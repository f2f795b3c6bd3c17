import { describe, expect, it } from "vitest";
import type { Command, Frame } from "../src/sync/frames";
import { empty, stepSync, type SyncEffect, type SyncInput, type SyncState } from "../src/sync/machine";
import type { Outgoing } from "../src/sync/outbox";
import { LONGEST_REPLAY } from "../src/sync/positions";
import { MAX_HAVE } from "../src/limits";
import { AT, room, said, welcome } from "./build";

/** A sync machine that collects effects, with a clock that stands still until it is moved. */
class Client {
  state: SyncState = empty;
  effects: SyncEffect[] = [];
  now = 1000;

  input(...inputs: SyncInput[]): this {
    for (const input of inputs) {
      const [state, effects] = stepSync(this.state, input, this.now);
      this.state = state;
      this.effects.push(...effects);
    }
    return this;
  }

  frames(...frames: Frame[]): this {
    return this.input(...frames.map((frame) => ({ type: "frame", frame }) as const));
  }

  send(key: string, to = 1): this {
    return this.input({ type: "send", key, room: to, body: `body of ${key}` });
  }

  /** The effects since the last call. */
  take(): SyncEffect[] {
    return this.effects.splice(0);
  }

  commands(): Command[] {
    return this.take().flatMap((effect) => (effect.type === "transmit" ? [effect.command] : []));
  }

  applied(): number[] {
    return this.take().flatMap((effect) => (effect.type === "event" ? [effect.event.seq] : []));
  }

  reconnect(heads: Record<string, number>, more = {}): this {
    return this.input({ type: "lost" }, { type: "opened" }).frames(welcome(heads, more));
  }
}

function live(heads: Record<string, number> = { "room:1": 10, "user:7": 3 }): Client {
  const client = new Client().input({ type: "opened" }).frames(welcome(heads));
  client.take();
  return client;
}

const sends = (commands: Command[]): string[] => commands.flatMap((one) => (one.type === "message.send" ? [one.key] : []));
const idOf = (command: Command | undefined): number => (command && "id" in command ? command.id : Number.NaN);
const outbox = (client: Client): [string, string][] => client.state.outbox.map((one) => [one.key, one.status]);

describe("positions", () => {
  it("names as many topics as the server accepts, and requests the others itself", () => {
    const heads = Object.fromEntries(Array.from({ length: MAX_HAVE + 2 }, (_, n) => [`room:${n + 1}`, 5]));
    const client = live(heads).input({ type: "lost" }, { type: "opened" });
    const [hello] = client.commands();
    expect(Object.keys((hello as { have: object }).have)).toHaveLength(MAX_HAVE);
    const last = `room:${MAX_HAVE + 2}`;
    client.frames(welcome({ ...heads, [last]: 7 }));
    expect(client.commands()).toMatchObject([{ type: "events.since", topic: last, after: 5 }]);
  });

  it("sends hello without positions first, and with them on every later connection", () => {
    const client = new Client().input({ type: "opened" });
    expect(client.commands()).toEqual([{ type: "hello" }]);
    client.frames(welcome({ "room:1": 10 }), said(11)).input({ type: "lost" }, { type: "opened" });
    expect(client.commands()).toEqual([{ type: "hello", epoch: "e1", have: { "room:1": 11 } }]);
  });

  it("applies the next event and ignores known ones", () => {
    const client = live().frames(said(11), said(11), said(10), said(12));
    expect(client.applied()).toEqual([11, 12]);
  });

  it("fetches missing events once and applies them in order", () => {
    const client = live().frames(said(13), said(14));
    const commands = client.commands();
    expect(commands).toEqual([{ id: 1, type: "events.since", topic: "room:1", epoch: "e1", after: 10, limit: 200 }]);
    client.frames({ re: 1, ok: { epoch: "e1", events: [said(11), said(12), said(13), said(14)], head: 14, more: false } });
    expect(client.applied()).toEqual([11, 12, 13, 14]);
  });

  it("fetches events that happened during a page request, even if no event follows", () => {
    const client = live().frames(said(13));
    client.take();
    client.frames(said(14), { re: 1, ok: { epoch: "e1", events: [said(11), said(12), said(13)], head: 13, more: false } });
    const effects = client.take();
    expect(effects.at(-1)).toMatchObject({ type: "transmit", command: { type: "events.since", after: 13 } });
  });

  it("follows `more` page by page up to the head", () => {
    const client = live().frames({ type: "more", topic: "room:1", head: 13 });
    const first = idOf(client.commands()[0]);
    client.frames({ re: first, ok: { epoch: "e1", events: [said(11), said(12)], head: 13, more: true } });
    const second = client.commands();
    expect(second).toMatchObject([{ type: "events.since", after: 12 }]);
    client.frames({ re: idOf(second[0]), ok: { epoch: "e1", events: [said(13)], head: 13, more: false } });
    expect(client.take().map((effect) => effect.type)).toEqual(["event"]);
  });

  it("stops asking if a page makes no progress", () => {
    const client = live().frames(said(13));
    client.take();
    client.frames({ re: 1, ok: { epoch: "e1", events: [said(12)], head: 13, more: true } });
    expect(client.take()).toEqual([{ type: "reset", topic: "room:1" }]);
  });

  it("reloads a room after a reset and continues from its head", () => {
    const client = live().frames({ type: "reset", topic: "room:1", head: 40, floor: 20 }, said(41));
    expect(client.take()).toMatchObject([
      { type: "reset", topic: "room:1" },
      { type: "event", event: { seq: 41 } },
    ]);
  });

  it("reloads a room instead of replaying a very long gap", () => {
    const client = live().frames({ type: "more", topic: "room:1", head: 11 + LONGEST_REPLAY });
    expect(client.take()).toEqual([{ type: "reset", topic: "room:1" }]);
  });

  it("starts over if its own topic cannot be replayed, since that has the memberships", () => {
    const client = live().frames({ type: "reset", topic: "user:7", head: 90, floor: 80 });
    expect(client.take()).toEqual([{ type: "start over" }]);
    client.input({ type: "lost" }, { type: "opened" });
    expect(client.commands()).toEqual([{ type: "hello" }]);
  });

  it("takes everything as fresh in another epoch, without starting over again", () => {
    const client = live().frames(said(11));
    client.take();
    client.reconnect({ "room:1": 5, "user:7": 2 }, { epoch: "e2" });
    client.frames({ type: "reset", topic: "room:1", head: 5, floor: 0 }, { type: "reset", topic: "user:7", head: 2, floor: 0 }, said(6));
    const effects = client.take();
    expect(effects.find((effect) => effect.type === "welcome")).toMatchObject({ fresh: ["room:1", "user:7"] });
    expect(effects.map((effect) => effect.type)).toEqual(["transmit", "welcome", "event"]);
  });

  it("names only topics as fresh that it did not follow before", () => {
    const client = live().reconnect({ "room:1": 12, "room:2": 4, "user:7": 3 });
    expect(client.take().find((effect) => effect.type === "welcome")).toMatchObject({ fresh: ["room:2"] });
    client.frames(said(11), said(12));
    expect(client.applied()).toEqual([11, 12]);
  });

  it("follows a room from the seq in its own topic, even if the room's events come first", () => {
    const client = live().frames(said(3, { room: 2 }));
    client.frames({ topic: "user:7", seq: 4, type: "room.added", at: AT, room: 2, details: room(2, { head: 2 }) });
    expect(client.commands()).toMatchObject([{ type: "events.since", topic: "room:2", after: 2 }]);
  });

  it("ignores events of a room that is gone, and sends nothing there", () => {
    const client = live().input({ type: "lost" }).send("a").input({ type: "opened" });
    client.frames(welcome({ "room:1": 10, "user:7": 3 }));
    client.take();
    client.frames({ topic: "user:7", seq: 4, type: "room.removed", at: AT, room: 1 }, said(11));
    expect(client.applied()).toEqual([4]);
    expect(client.state.outbox).toEqual([]);
  });

  it.each(["while connected", "while disconnected", "before another window stored a message"])(
    "returns unsent messages to a room that is gone: %s",
    (when) => {
      const client = live({ "room:1": 10, "room:2": 4, "user:7": 3 });
      if (when === "while connected") {
        const [first] = client.send("sent").commands();
        client.frames({ re: idOf(first), ok: { topic: "room:1", seq: 12 } });
        client.send("a").send("elsewhere", 2).send("b").take();
        client.frames({ topic: "user:7", seq: 4, type: "room.removed", at: AT, room: 1, why: "removed" });
      } else if (when === "while disconnected") {
        client.input({ type: "lost" }).send("a").send("elsewhere", 2).send("b").input({ type: "opened" });
        client.frames(welcome({ "room:2": 4, "user:7": 4 }));
      } else {
        client.send("elsewhere", 2).reconnect({ "room:2": 4, "user:7": 4 });
        const written = (key: string, at: number): Outgoing => ({ key, room: 1, body: `body of ${key}`, at, status: "waiting" });
        client.input({ type: "found", outbox: [written("a", 1), written("b", 2)] });
      }
      const effects = client.take();
      const at = effects.findIndex((effect) => effect.type === "unsent");
      expect(effects[at]).toMatchObject({ outbox: [{ key: "a", body: "body of a" }, { key: "b" }] });
      expect(effects.filter((effect) => effect.type === "unsent")).toHaveLength(1);
      // While the room still has its name.
      expect(effects.findIndex((effect) => effect.type === (when === "while disconnected" ? "welcome" : "event"))).toSatisfy(
        (later: number) => later === -1 || later > at,
      );
      expect(outbox(client).map(([key]) => key)).toEqual(["elsewhere"]);
    },
  );

  it("forgets a topic that it no longer follows", () => {
    const client = live({ "room:1": 10, "room:2": 5, "user:7": 3 });
    client.reconnect({ "room:1": 10, "user:7": 3 }).frames({ type: "reset", topic: "room:2" });
    client.take();
    client.input({ type: "lost" }, { type: "opened" });
    expect(client.commands()).toMatchObject([{ type: "hello", have: { "room:1": 10, "user:7": 3 } }]);
    expect(client.state.positions["room:2"]).toBeUndefined();
  });

  it("repeats a page request that the server could not answer", () => {
    const client = live().frames(said(12));
    client.take();
    client.frames({ re: 1, error: { code: "unavailable", message: "…", retry_after: 3 } });
    expect(client.take()).toEqual([{ type: "timer", at: 4000 }]);
    expect(client.input({ type: "timer" }).commands()).toMatchObject([{ type: "events.since", after: 10 }]);
  });

  it("ignores answers to requests of an earlier connection", () => {
    const client = live().frames(said(12));
    client.take();
    client.reconnect({ "room:1": 12, "user:7": 3 });
    client.take();
    client.frames({ re: 1, ok: { epoch: "e1", events: [said(11)], head: 12, more: true } });
    expect(client.applied()).toEqual([]);
  });
});

describe("the outbox", () => {
  it("has one unacknowledged message per room under way, in order", () => {
    const client = live({ "room:1": 10, "room:2": 5 }).send("a").send("b").send("c", 2);
    const commands = client.commands();
    expect(sends(commands)).toEqual(["a", "c"]);
    client.frames({ re: idOf(commands[0]), ok: { topic: "room:1", seq: 11 } });
    expect(sends(client.commands())).toEqual(["b"]);
  });

  it.each(["event first", "acknowledgement first"])("drops a message once event and acknowledgement have arrived: %s", (order) => {
    const client = live().send("a");
    const acknowledgement: Frame = { re: idOf(client.commands()[0]), ok: { topic: "room:1", seq: 11 } };
    const event = said(11, { by: 7, key: "a" });
    const [first, second] = order === "event first" ? [event, acknowledgement] : [acknowledgement, event];
    client.frames(first);
    expect(outbox(client)).toEqual(order === "event first" ? [] : [["a", "sent"]]);
    client.frames(second);
    expect(outbox(client)).toEqual([]);
  });

  it("resends unacknowledged messages under the same key after a lost connection", () => {
    const client = live().send("a").send("b");
    client.frames({ re: idOf(client.commands()[0]), ok: { topic: "room:1", seq: 11 } });
    client.take();
    client.input({ type: "lost" }, { type: "opened" });
    client.take();
    client.frames(welcome({ "room:1": 11, "user:7": 3 }));
    expect(sends(client.commands())).toEqual(["b"]);
  });

  it("collects messages while offline and sends them once when connected", () => {
    const client = live().input({ type: "lost" }).send("a");
    expect(client.commands()).toEqual([]);
    client.input({ type: "opened" }).frames(welcome({ "room:1": 10, "user:7": 3 }));
    const again = client.commands().filter((one) => one.type === "message.send");
    expect(sends(again)).toEqual(["a"]);
    client.frames(said(11, { by: 7, key: "a" }), { re: idOf(again[0]), ok: { topic: "room:1", seq: 11 } });
    expect(sends(client.reconnect({ "room:1": 11, "user:7": 3 }).commands())).toEqual([]);
  });

  it("drops a message that the catch-up confirms", () => {
    const client = live().send("a").input({ type: "lost" }, { type: "opened" });
    client.frames(welcome({ "room:1": 11, "user:7": 3 }));
    const retried = idOf(client.commands().find((one) => one.type === "message.send"));
    client.frames(said(11, { by: 7, key: "a" }), { re: retried, ok: { topic: "room:1", seq: 11 } });
    expect(outbox(client)).toEqual([]);
  });

  it("waits as long as the server asks, keeps the order, and retries by itself", () => {
    const client = live().send("a").send("b");
    client.frames({ re: idOf(client.commands()[0]), error: { code: "rate_limited", message: "…", retry_after: 1.5 } });
    expect(client.take()).toEqual([{ type: "timer", at: 2500 }]);
    client.now = 2500;
    expect(sends(client.input({ type: "timer" }).commands())).toEqual(["a"]);
  });

  it("stops at a permanent refusal and continues with the next message", () => {
    const client = live().send("a").send("b");
    client.frames({ re: idOf(client.commands()[0]), error: { code: "forbidden", message: "No." } });
    expect(outbox(client)).toEqual([
      ["a", "failed"],
      ["b", "sending"],
    ]);
    expect(sends(client.commands())).toEqual(["b"]);
  });

  it("does not wait forever for the answer to a frame that the server could not read", () => {
    const client = live().send("a");
    client.frames({ re: null, error: { code: "bad_request", message: "No JSON." } });
    expect(outbox(client)).toEqual([["a", "failed"]]);
    client.frames(said(11, { by: 7, key: "a" }));
    expect(outbox(client)).toEqual([]);
  });

  it("retries a failed message under its key, or discards it", () => {
    const client = live().send("a");
    client.frames({ re: idOf(client.commands()[0]), error: { code: "internal", message: "…" } });
    expect(client.input({ type: "retry", key: "a" }).commands()).toMatchObject([{ key: "a", body: "body of a" }]);
    client.frames({ re: client.state.nextId - 1, error: { code: "internal", message: "…" } });
    client.input({ type: "discard", key: "a" });
    expect(outbox(client)).toEqual([]);
  });

  it("drops acknowledged messages that are behind a reset", () => {
    const client = live().send("a");
    client.frames({ re: idOf(client.commands()[0]), ok: { topic: "room:1", seq: 11 } });
    client.frames({ type: "reset", topic: "room:1", head: 40, floor: 20 });
    expect(outbox(client)).toEqual([]);
  });
});
