import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { SET, themed } from "../src/embed/theme";
import { Surrounding } from "../src/embed/surrounding";
import { goToLogIn, leaveForLogIn, logInAddress, returnFromLogIn } from "../src/features/accounts/host_page";

afterEach(() => vi.unstubAllGlobals());

describe("a theme", () => {
  const all = (): boolean => true;

  it("sets the colours that a property means, and those made of it", () => {
    expect(themed({ "--hubbub-background": "#fff", "--hubbub-font": "Georgia" }, all)).toEqual({ "--paper": "#fff", "--sans": "Georgia" });
    expect(Object.keys(themed({ "--hubbub-accent": "red" }, all))).toEqual(["--accent", "--accent-strong", "--chosen"]);
    expect(SET).toContain("--edge");
  });

  it("leaves out what the browser does not accept", () => {
    const asked: string[] = [];
    const only = (property: string, value: string): boolean => (asked.push(property), value === "16px");
    expect(themed({ "--hubbub-accent": "no colour", "--hubbub-font-size": "16px" }, only)).toEqual({ "font-size": "16px" });
    expect(asked).toEqual(["color", "font-size"]);
  });

  it.each(["var(--ink)", "url(https://evil.example)", "env(x)", "a".repeat(201), 7, null, undefined, { toString: () => "red" }])(
    "leaves out %j",
    (value) => {
      expect(themed({ "--hubbub-accent": value, "--other": "red" }, all)).toEqual({});
    },
  );
});

describe("the element around the page", () => {
  let heard: ((event: object) => void)[] = [];
  const parent = { postMessage: vi.fn() };
  const port = (): { postMessage: ReturnType<typeof vi.fn>; close: () => void; onmessage?: (event: object) => void } => ({
    postMessage: vi.fn(),
    close: () => {},
  });
  const events = { met: vi.fn(), theme: vi.fn() };

  beforeEach(() => {
    heard = [];
    vi.clearAllMocks();
    vi.stubGlobal("window", {});
    vi.stubGlobal("parent", parent);
    vi.stubGlobal("addEventListener", (_: string, listener: (event: object) => void) => heard.push(listener));
  });

  const says = (event: object): void => heard.forEach((listener) => listener({ ports: [], data: null, ...event }));
  const HELLO = { source: parent, origin: "https://app.example", data: { hubbub: "connect", tokens: true } };

  it.each([
    ["another origin", { ...HELLO, origin: "https://evil.example" }],
    ["an origin that only begins alike", { ...HELLO, origin: "https://app.example.evil.example" }],
    ["another window", { ...HELLO, source: {} }],
    ["another message", { ...HELLO, data: { hubbub: "ready" } }],
    ["no message", { ...HELLO, data: null }],
  ])("is not met by %s", (_, event) => {
    const surrounding = new Surrounding(["https://app.example"], events);
    void surrounding.meet();
    says({ ...event, ports: [port()] });
    expect(events.met).not.toHaveBeenCalled();
  });

  it("is met by a page of an allowed origin, and asked for tokens", async () => {
    const surrounding = new Surrounding(["https://chat.example", "https://app.example"], events);
    const met = surrounding.meet();
    expect(parent.postMessage).toHaveBeenCalledWith({ hubbub: "ready" }, "*");
    const mine = port();
    says({ ...HELLO, ports: [mine] });
    await met;
    expect(events.met).toHaveBeenCalledWith(true);
    const [one, two, three] = [surrounding.token(), surrounding.token(), surrounding.token()];
    expect(mine.postMessage.mock.calls.map(([message]: { id?: number }[]) => message?.id)).toEqual([1, 2, 3]);
    mine.onmessage?.({ data: { type: "token", id: 2, token: "two" } });
    mine.onmessage?.({ data: { type: "token", id: 1, token: null } });
    mine.onmessage?.({ data: { type: "token", id: 3 } });
    expect([await one, await two]).toEqual([null, "two"]);
    await expect(three).rejects.toThrow("Can't log in");
    mine.onmessage?.({ data: { type: "theme", dark: true, values: {} } });
    expect(events.theme).toHaveBeenCalledWith(true, {});
  });
});

describe("the way to the host's log-in page", () => {
  const kept = new Map<string, string>();
  const replace = vi.fn();
  const replaceState = vi.fn();

  function visit(settings: object, path = "/chat/", hash = ""): void {
    const content = JSON.stringify(settings);
    vi.stubGlobal("document", { baseURI: `https://app.example${path}`, querySelector: () => ({ content }) });
    vi.stubGlobal("location", { href: `https://app.example${path}${hash}`, pathname: path, hash, replace });
  }

  beforeEach(() => {
    kept.clear();
    vi.clearAllMocks();
    vi.stubGlobal("history", { replaceState });
    vi.stubGlobal("sessionStorage", {
      getItem: (key: string) => kept.get(key) ?? null,
      setItem: (key: string, value: string) => kept.set(key, value),
    });
  });

  it.each([
    [{}, "/chat/", null],
    [{ login_url: "/login" }, "/chat/", "https://app.example/login?next=%2Fchat%2F"],
    [{ login_url: "/login?from=chat" }, "/chat/invite", "https://app.example/login?from=chat&next=%2Fchat%2Finvite"],
    [{ login_url: "https://id.example/?next=/admin" }, "/chat/", "https://id.example/?next=%2Fchat%2F"],
    [{ login_url: "/login", embedded: true }, "/chat/embed", "https://app.example/login"],
  ])("%j from %s is %s", (settings, path, address) => {
    visit(settings, path, "#secret");
    expect(logInAddress()).toBe(address);
  });

  it("is gone once, so that no loop arises, and leads back to the room", () => {
    visit({ login_url: "/login" }, "/chat/", "#room/7");
    goToLogIn("there", 1_000);
    expect(replace).toHaveBeenCalledWith("there");
    visit({ login_url: "/login" });
    returnFromLogIn();
    returnFromLogIn();
    expect(replaceState.mock.calls).toEqual([[null, "", "#room/7"]]);
    goToLogIn("there", 30_000);
    expect(replace).toHaveBeenCalledTimes(1);
    goToLogIn("there", 62_000);
    expect(replace).toHaveBeenCalledTimes(2);
  });

  it("does not restore an address over another one, or on another page", () => {
    visit({ login_url: "/login" }, "/chat/invite", "#token");
    leaveForLogIn(0);
    visit({ login_url: "/login" }, "/chat/");
    returnFromLogIn();
    visit({ login_url: "/login" }, "/chat/invite", "#other");
    returnFromLogIn();
    expect(replaceState).not.toHaveBeenCalled();
  });
});
