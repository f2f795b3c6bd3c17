import "fake-indexeddb/auto";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import * as database from "../src/persistence/database";
import { StoredOutbox, type OutboxEvents } from "../src/persistence/outbox";
import { MOST_ITEMS, MOST_ROOMS, MOST_TEXT, takeSnapshot, restored, type Snapshot } from "../src/persistence/snapshot";
import { forget, keys, ofBrowser, write } from "../src/persistence/storage";
import { welcomed } from "../src/state/load";
import { reduce } from "../src/state/reduce";
import { initial, type State } from "../src/state/state";
import { fromMessage, started } from "../src/state/timeline";
import { empty, stepSync, type SyncState } from "../src/sync/machine";
import { add, due, refused, retry, type Outbox } from "../src/sync/outbox";
import { alice, AT, room, said, welcome } from "./build";

const SITE = { name: "here", accounts: "own", needs_owner: false, signup: "open", version: "1" } as const;
const NOON = 1_000_000;

/**
 * Rooms with so many messages each, from seq 1 on, and a connection that has received all of them.
 */
function talk(rooms: number, messages: number, body = "x"): [State, SyncState] {
  const numbers = Array.from({ length: rooms }, (_, n) => n + 1);
  const heads = Object.fromEntries([...numbers.map((id) => [`room:${id}`, messages]), ["user:7", 3]]) as Record<string, number>;
  const [sync] = stepSync(empty, { type: "frame", frame: welcome(heads) }, NOON);
  const items = (id: number) => Array.from({ length: messages }, (_, n) => fromMessage(said(n + 1, { room: id, body })));
  const timelines = Object.fromEntries(numbers.map((id) => [id, { ...started(1, null), status: "ready" as const, items: items(id) }]));
  const state = welcomed(initial(alice), { ...welcome({}), rooms: numbers.map((id) => room(id, { head: messages })) }, []);
  return [{ ...state, timelines }, sync];
}

function taken(state: State, sync: SyncState, recent: number[] = []): Snapshot {
  const found = takeSnapshot(state, sync, SITE, recent, NOON);
  if (!found) throw new Error("no snapshot");
  return structuredClone(found);
}

describe("a snapshot", () => {
  it("has the state and its positions", () => {
    const [state, sync] = talk(2, 3);
    const again = restored(taken(state, sync, [2]));
    expect(again).toMatchObject({ at: NOON, site: SITE, recent: [2, 1] });
    expect(again?.state.rooms).toEqual(state.rooms);
    expect(again?.state.timelines[1]?.items).toEqual(state.timelines[1]?.items);
    expect(again?.sync).toMatchObject({ live: false, epoch: "e1", outbox: [] });
    const [, effects] = stepSync(again?.sync ?? empty, { type: "opened" }, NOON);
    expect(effects).toEqual([
      { type: "transmit", command: { type: "hello", epoch: "e1", have: { "room:1": 3, "room:2": 3, "user:7": 3 } } },
    ]);
  });

  it("has the site with what has changed since the page was loaded", () => {
    const [state, sync] = talk(1, 1);
    const renamed = reduce(state, { topic: "site", seq: 1, type: "site.updated", at: AT, changes: { name: "there" } });
    expect(taken(renamed, sync).site).toEqual({ ...SITE, name: "there" });
    expect(restored(taken(renamed, sync))?.state.site).toEqual({});
  });

  it("resumes to the same state as a client that never left", () => {
    const [state, sync] = talk(1, 3);
    const there = [said(4), said(5)].reduce(reduce, state);
    const back = [said(4), said(5)].reduce(reduce, restored(taken(state, sync))?.state ?? state);
    expect({ ...back.timelines[1], load: 1 }).toEqual(there.timelines[1]);
    expect(back.rooms).toEqual(there.rooms);
  });

  it("has the newest messages of the last visited rooms, within its limits", () => {
    const [state, sync] = talk(MOST_ROOMS + 5, MOST_ITEMS + 20);
    const kept = taken(state, sync, [23, 24]);
    expect(kept.rooms.map((one) => one.room).slice(0, 3)).toEqual([23, 24, 1]);
    expect(kept.rooms).toHaveLength(MOST_ROOMS);
    const timeline = restored(kept)?.state.timelines[23];
    expect([timeline?.items[0]?.seq, timeline?.items.length, timeline?.older]).toEqual([21, MOST_ITEMS, true]);
    const [long, other] = talk(MOST_ROOMS, MOST_ITEMS, "x".repeat(8_000));
    const text = JSON.stringify(taken(long, other).rooms).length;
    expect(text).toBeGreaterThan(MOST_TEXT / 2);
    expect(text).toBeLessThan(MOST_TEXT * 1.1);
  });

  it("is not taken without a position, and not restored if it is invalid or from other code", () => {
    const [state, sync] = talk(1, 3);
    expect(takeSnapshot(state, { ...sync, epoch: null }, SITE, [], NOON)).toBeNull();
    const kept = taken(state, sync);
    expect(restored({ ...kept, shape: "of another time" })).toBeNull();
    expect(restored({ ...kept, core: kept.core.slice(1) })).toBeNull();
    expect(restored({ ...kept, rooms: [{ room: 1, timeline: "", members: null }] })).toBeNull();
    expect([restored(null), restored(undefined), restored("x" as unknown as Snapshot)]).toEqual([null, null, null]);
  });

  it("of another epoch shows no rooms once the server has sent its epoch", () => {
    const again = restored(taken(...talk(1, 3)));
    const [, effects] = stepSync(again?.sync ?? empty, { type: "frame", frame: welcome({ "room:1": 2 }, { epoch: "e2" }) }, NOON);
    expect(effects[0]).toMatchObject({ type: "welcome", fresh: ["room:1"] });
    expect(welcomed(again?.state ?? initial(alice), welcome({ "room:1": 2 }), ["room:1"]).timelines).toEqual({});
  });
});

/** The parts of `localStorage` that the outbox uses. */
class Memory implements Storage {
  readonly #kept = new Map<string, string>();
  get length(): number {
    return this.#kept.size;
  }
  clear = (): void => this.#kept.clear();
  key = (at: number): string | null => [...this.#kept.keys()][at] ?? null;
  getItem = (key: string): string | null => this.#kept.get(key) ?? null;
  setItem = (key: string, value: string): void => void this.#kept.set(key, value);
  removeItem = (key: string): void => void this.#kept.delete(key);
}

const target = new EventTarget();

beforeEach(() => {
  vi.stubGlobal("document", { baseURI: "https://chat.example/talk/" });
  vi.stubGlobal("localStorage", new Memory());
  vi.stubGlobal("sessionStorage", new Memory());
  vi.stubGlobal("addEventListener", target.addEventListener.bind(target));
});

afterEach(() => vi.unstubAllGlobals());

describe("the database", () => {
  const kept = taken(...talk(1, 3));

  it("returns the snapshot of the user who holds the claim, and stores none after a log-out", async () => {
    await database.wipe();
    const claim = await database.claim(7);
    expect(await database.claim(7)).toBe(claim);
    expect(await database.save(claim, kept)).toBe(true);
    expect(await database.load()).toEqual(kept);
    await database.wipe();
    expect(await database.load()).toBeNull();
    expect(await database.save(claim, kept)).toBe(false);
    expect(await database.load()).toBeNull();
    expect(await database.claim(7)).not.toBe(claim);
  });

  it("deletes the snapshot of another user, but none of a user who has logged in since", async () => {
    await database.save(await database.claim(7), kept);
    const claim = await database.claim(8);
    expect(await database.load()).toBeNull();
    await database.save(claim, { ...kept, user: 8 });
    await database.wipe(7);
    expect(await database.load()).toMatchObject({ user: 8 });
    await database.wipe(8);
    expect(await database.load()).toBeNull();
  });
});

describe("the stored outbox", () => {
  class Window implements OutboxEvents {
    outbox: Outbox = [];
    connected = false;
    readonly kept: StoredOutbox;

    constructor(user = 7) {
      this.kept = new StoredOutbox(user, this);
    }
    found = (outbox: Outbox): void => void (this.outbox = [...this.outbox, ...outbox]);
    gone = (key: string): void => this.keep(this.outbox.filter((one) => one.key !== key));
    isConnected = (): boolean => this.connected;

    write(key: string, body = key): void {
      this.keep(add(this.outbox, { key, room: 1, body, at: NOON }));
    }
    keep(outbox: Outbox): void {
      this.outbox = outbox;
      this.kept.save(outbox);
    }
    get keys(): string[] {
      return this.outbox.map((one) => one.key);
    }
  }

  /** The storage event that other windows get. */
  const stored = (key: string, newValue: string | null): boolean =>
    target.dispatchEvent(Object.assign(new Event("storage"), { key: `hubbub:/talk/:outbox.7.${key}`, newValue }));

  it("returns the messages of one user in writing order, in every later window", () => {
    const first = new Window();
    for (const key of ["b", "c", "a"]) first.write(key);
    first.keep(first.outbox.map((one) => (one.key === "c" ? { ...one, status: "sent", seq: 9 } : one)));
    const [later, stranger] = [new Window(), new Window(8)];
    for (const window of [later, stranger, later]) window.kept.look();
    expect([later.keys, stranger.keys]).toEqual([["b", "a"], []]);
    expect(later.outbox[0]).toMatchObject({ room: 1, body: "b", status: "waiting" });
    later.keep([]);
    expect(keys(ofBrowser())).toEqual([]);
  });

  it("drops messages that another window has sent, and leaves sending to that window for a while", () => {
    vi.useFakeTimers();
    const [first, second] = [new Window(), new Window()];
    second.connected = true;
    first.write("a");
    stored("a", "{}");
    expect(second.keys).toEqual([]);
    vi.runAllTimers();
    expect(second.keys).toEqual(["a"]);
    first.write("b");
    second.connected = false;
    stored("b", "{}");
    expect(second.keys).toEqual(["a", "b"]);
    stored("a", null);
    expect(second.keys).toEqual(["b"]);
    first.kept.stop();
    second.kept.stop();
    stored("b", null);
    expect(second.keys).toEqual(["b"]);
    vi.useRealTimers();
  });

  it("keeps refused messages refused, so that only their author sends them again", () => {
    const error = { code: "conflict", message: "This room is archived." } as const;
    const [first, second] = [new Window(), new Window()];
    first.write("a");
    first.keep(refused(first.outbox, "a", error, NOON));
    second.kept.look();
    expect(second.outbox).toMatchObject([{ key: "a", status: "failed", error }]);
    expect(due(second.outbox, NOON)).toEqual([]);
    second.keep(retry(second.outbox, "a"));
    const third = new Window();
    third.kept.look();
    expect(third.outbox).toMatchObject([{ key: "a", status: "waiting" }]);
    expect(third.outbox[0]).not.toHaveProperty("error");
    for (const window of [first, second, third]) window.kept.stop();
  });

  it("ignores invalid entries", () => {
    write(ofBrowser(), "outbox.7.x", "{");
    write(ofBrowser(), "outbox.7.y", '{"key":"z"}');
    const window = new Window();
    window.kept.look();
    expect(window.outbox).toEqual([]);
  });
});

describe("forgetting", () => {
  it("deletes the entries of one user, in this chat only", () => {
    for (const key of ["draft.7.1", "draft.77.1", "outbox.7.k", "emoji.7"]) write(ofBrowser(), key, "x");
    localStorage.setItem("hubbub:/other/:draft.7.1", "x");
    forget((user) => user === 7);
    expect(keys(ofBrowser())).toEqual(["draft.77.1"]);
    expect(localStorage.getItem("hubbub:/other/:draft.7.1")).toBe("x");
  });
});
