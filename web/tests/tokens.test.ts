import "fake-indexeddb/auto";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Chat } from "../src/chat.svelte";
import { fetchedTokens } from "../src/embed/fetched_tokens";
import { get } from "../src/net/http";
import { dropToken, renewed, setTokenSource, token } from "../src/net/tokens";
import { alice, welcome } from "./build";

const nothing = (): void => {};
const SITE = { name: "here", accounts: "host", needs_owner: false, signup: "closed", version: "1" } as const;

/** The other end of a connection. */
class Socket {
  static readonly OPEN = 1;
  static all: Socket[] = [];
  readonly readyState = 1;
  readonly sent: { type: string; token?: string }[] = [];
  onopen = nothing;
  onmessage = (_: object): void => {};
  onclose = (_: object): void => {};
  close = nothing;
  constructor() {
    Socket.all.push(this);
  }
  send = (text: string): void => void this.sent.push(JSON.parse(text) as { type: string });
}

beforeEach(() => {
  Socket.all = [];
  vi.stubGlobal("document", {
    baseURI: "https://chat.example/chat/",
    visibilityState: "visible",
    addEventListener: nothing,
    removeEventListener: nothing,
  });
  vi.stubGlobal("location", { hash: "" });
  for (const name of ["localStorage", "sessionStorage"])
    vi.stubGlobal(name, { length: 0, key: nothing, getItem: () => null, setItem: nothing, removeItem: nothing });
  for (const name of ["addEventListener", "removeEventListener"]) vi.stubGlobal(name, nothing);
  vi.stubGlobal("WebSocket", Socket);
  vi.stubGlobal(
    "BroadcastChannel",
    class {
      postMessage = nothing;
      close = nothing;
    },
  );
});

afterEach(() => {
  setTokenSource(null);
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

/** Tokens t1, t2, … */
function numbered(): () => Promise<string> {
  let made = 0;
  return () => Promise.resolve(`t${++made}`);
}

describe("the token", () => {
  it("is none without a source, so that the cookie counts", () => {
    expect(token()).toBeNull();
  });

  it("is asked for once until it is refused or ends", async () => {
    setTokenSource(numbered());
    expect([await token(), await token()]).toEqual(["t1", "t1"]);
    expect(await renewed("t1")).toBe(true);
    expect([await token(), await renewed("t1"), await token()]).toEqual(["t2", true, "t2"]);
    dropToken();
    expect(await token()).toBe("t3");
  });

  it("cannot be renewed if the host knows no user any more, or has the same token", async () => {
    const answers = ["a", null, "b", "b"];
    setTokenSource(() => Promise.resolve(answers.shift() ?? null));
    await token();
    expect(await renewed("a")).toBe(false);
    dropToken();
    await token();
    expect(await renewed("b")).toBe(false);
  });

  it("is asked for again after a failure", async () => {
    let fails = true;
    setTokenSource(() => (fails ? Promise.reject(new Error("down")) : Promise.resolve("t")));
    await expect(token()).rejects.toThrow("down");
    fails = false;
    expect(await token()).toBe("t");
  });
});

describe("a request", () => {
  const answer = (status: number): object => ({ status, ok: status === 200, json: () => Promise.resolve({}) });

  it.each([
    ["is repeated once with another token after a 401", [401, 200], ["Bearer t1", "Bearer t2"], true],
    ["is not repeated for ever", [401, 401, 401], ["Bearer t1", "Bearer t2"], false],
    ["is not repeated after other refusals", [403], ["Bearer t1"], false],
  ])("%s", async (_, statuses, sent, works) => {
    const headers: string[] = [];
    setTokenSource(numbered());
    vi.stubGlobal("fetch", (_: string, { headers: { Authorization } }: { headers: { Authorization: string } }) => {
      headers.push(Authorization);
      return Promise.resolve(answer(statuses.shift() ?? 0));
    });
    await get("users/me").then(
      () => expect(works).toBe(true),
      () => expect(works).toBe(false),
    );
    expect(headers).toEqual(sent);
  });
});

describe("a connection", () => {
  async function opened(nth: number): Promise<Socket> {
    await vi.waitFor(() => expect(Socket.all.length).toBe(nth));
    const socket = Socket.all[nth - 1] as Socket;
    socket.onopen();
    await vi.waitFor(() => expect(socket.sent.length).toBe(1));
    return socket;
  }

  it("greets with the token, and with another one when it has expired", async () => {
    setTokenSource(numbered());
    const chat = new Chat(alice, SITE);
    chat.start();
    const first = await opened(1);
    expect(first.sent[0]).toMatchObject({ type: "hello", token: "t1" });
    first.onmessage({ data: JSON.stringify(welcome({})) });
    first.onclose({ code: 4501, reason: "" });
    const second = await opened(2);
    expect(second.sent[0]).toMatchObject({ type: "hello", token: "t2" });
    expect(chat.ended).toBeNull();
    second.onclose({ code: 4501, reason: "" });
    await vi.waitFor(() => expect(chat.ended).toEqual({ code: 4501 }));
    chat.stop();
  });

  it("ends at once when the host has logged the user out", async () => {
    setTokenSource(numbered());
    const chat = new Chat(alice, SITE);
    chat.start();
    const socket = await opened(1);
    socket.onclose({ code: 4503, reason: "" });
    expect(chat.ended).toEqual({ code: 4503 });
  });

  it("sends no hello while the host's endpoint cannot be reached", async () => {
    setTokenSource(() => Promise.reject(new Error("down")));
    const chat = new Chat(alice, SITE);
    chat.start();
    const [socket] = Socket.all as [Socket];
    socket.onopen();
    await new Promise((done) => setTimeout(done));
    expect([socket.sent, chat.ended]).toEqual([[], null]);
    chat.stop();
  });
});

describe("the endpoint of the host application", () => {
  const answers = (status: number, body: unknown): void => {
    vi.stubGlobal("fetch", () => Promise.resolve({ status, ok: status < 300, json: () => Promise.resolve(body) }));
  };

  it.each([
    [200, { token: "t" }, "t"],
    [200, { token: null }, null],
    [204, null, null],
    [401, { detail: "no" }, null],
    [403, {}, null],
  ])("answers %i %j: %j", async (status, body, found) => {
    answers(status, body);
    expect(await fetchedTokens("/token", nothing)()).toBe(found);
  });

  it.each([
    [200, {}],
    [200, "t"],
    [200, { token: "" }],
    [200, { token: 7 }],
    [404, { token: "t" }],
    [500, null],
  ])("answers %i %j: a failure, not a log-out", async (status, body) => {
    answers(status, body);
    await expect(fetchedTokens("/token", nothing)()).rejects.toThrow("Can't log in");
  });

  it("is asked again shortly before the token ends", async () => {
    vi.useFakeTimers();
    answers(200, { token: "t", expires_in: 600 });
    const ends = vi.fn();
    await fetchedTokens("/token", ends)();
    await vi.advanceTimersByTimeAsync(569_000);
    expect(ends).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(2_000);
    expect(ends).toHaveBeenCalledOnce();
  });
});
