import "fake-indexeddb/auto";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Chat } from "../src/chat.svelte";
import { sessionEndMessage } from "../src/features/accounts/accounts";
import { keys, ofBrowser, write } from "../src/persistence/storage";
import { alice, AT, welcome } from "./build";

/** The parts of `localStorage` that the chat uses. */
class Memory {
  readonly #kept = new Map<string, string>();
  get length(): number {
    return this.#kept.size;
  }
  key = (at: number): string | null => [...this.#kept.keys()][at] ?? null;
  getItem = (key: string): string | null => this.#kept.get(key) ?? null;
  setItem = (key: string, value: string): void => void this.#kept.set(key, value);
  removeItem = (key: string): void => void this.#kept.delete(key);
}

/** The other end of a connection, and of the channel between windows. */
class Far {
  static readonly OPEN = 1;
  static last: Far;
  readonly readyState = 1;
  onopen = (): void => {};
  onmessage = (_: object): void => {};
  onclose = (_: object): void => {};
  send = (): void => {};
  postMessage = (): void => {};
  close = (): void => {};
  constructor() {
    (this.constructor as typeof Far).last = this;
  }
  says(data: unknown): void {
    this.onmessage({ data });
  }
}
class Socket extends Far {}
class Windows extends Far {}

const nothing = (): void => {};

beforeEach(() => {
  vi.stubGlobal("document", {
    baseURI: "https://chat.example/",
    visibilityState: "visible",
    addEventListener: nothing,
    removeEventListener: nothing,
  });
  vi.stubGlobal("location", { hash: "" });
  vi.stubGlobal("localStorage", new Memory());
  vi.stubGlobal("sessionStorage", new Memory());
  vi.stubGlobal("addEventListener", nothing);
  vi.stubGlobal("removeEventListener", nothing);
  vi.stubGlobal("WebSocket", Socket);
  vi.stubGlobal("BroadcastChannel", Windows);
});

afterEach(() => vi.unstubAllGlobals());

async function begun(accounts: "own" | "host" = "own"): Promise<Chat> {
  const chat = new Chat(alice, { name: "here", accounts, needs_owner: false, signup: "open", version: "1" });
  chat.start();
  Socket.last.onopen();
  Socket.last.says(JSON.stringify(welcome({ "room:1": 10, "room:2": 4, "user:7": 3 })));
  await vi.waitUntil(() => chat.sync.live);
  return chat;
}

describe("a chat that ends", () => {
  it.each([
    ["the session has expired", 4501, "own", true],
    ["the session was revoked from another device", 4503, "own", true],
    ["the user has logged out of the host application", 4503, "host", false],
    ["the account was disabled", 4510, "own", true],
    ["the host application disabled the account", 4510, "host", false],
    ["the user has logged out in another window", 0, "own", false],
  ] as const)("keeps or deletes unsent text: %s", async (_, code, accounts, stays) => {
    const chat = await begun(accounts);
    chat.drafts.save(1, { text: "a draft" });
    Socket.last.onclose({ code: 1006, reason: "" });
    chat.input({ type: "send", key: "k", room: 1, body: "on its way" });
    chat.reconnectNow();
    if (code) Socket.last.onclose({ code, reason: "" });
    else Windows.last.says({ user: 7, over: true });
    expect(chat.ended).not.toBeNull();
    expect(keys(ofBrowser()).sort()).toEqual(stays ? ["draft.7.1", "outbox.7.k"] : []);
    chat.drafts.save(1, { text: "too late" });
    expect(ofBrowser()?.getItem("hubbub:/:draft.7.1") ?? "").not.toContain("too late");
    if (code) expect(sessionEndMessage(code, 7)?.includes("unsent messages")).toBe(stays);
    write(ofBrowser(), "draft.7.1", null);
    write(ofBrowser(), "outbox.7.k", null);
    expect(sessionEndMessage(4503, 7)).not.toContain("unsent messages");
  });
});

describe("a chat", () => {
  it("turns unsent messages to a room that the user was removed from into a draft, with a notice until it is dismissed", async () => {
    const chat = await begun();
    chat.drafts.save(2, { text: "begun" });
    Socket.last.onclose({ code: 1006, reason: "" });
    for (const key of ["one", "two"]) chat.input({ type: "send", key, room: 2, body: key });
    chat.input({ type: "send", key: "three", room: 1, body: "three" });
    chat.reconnectNow();
    Socket.last.onopen();
    Socket.last.says(JSON.stringify(welcome({ "room:1": 10, "user:7": 4 })));
    await vi.waitUntil(() => chat.sync.live);
    expect(chat.drafts.load(2).text).toBe("one\n\ntwo\n\nbegun");
    expect(chat.unsent).toEqual([{ room: 2, name: "room 2", count: 2 }]);
    expect(chat.sync.outbox.map((one) => one.key)).toEqual(["three"]);
    Socket.last.says(JSON.stringify({ topic: "user:7", seq: 4, type: "room.removed", at: AT, room: 2, why: "removed" }));
    await vi.waitUntil(() => chat.state.gone);
    expect(chat.drafts.load(2).text).toBe("one\n\ntwo\n\nbegun");
    chat.dismissUnsent(2);
    expect(chat.unsent).toEqual([]);
    chat.stop();
  });
});
