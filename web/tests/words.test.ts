import { describe, expect, it } from "vitest";
import { onlyHere } from "../src/features/invites/invites";
import { clean, obstacle } from "../src/features/composer/sending";
import { refusal } from "../src/net/http";
import { httpUrl, socketUrl } from "../src/net/urls";
import { hueOf } from "../src/ui/hue";

describe("texts", () => {
  it("are sent without characters that no text may have", () => {
    expect(clean("a\u0000b \ud800 c \u{1f331}")).toBe("ab \ufffd c \u{1f331}");
  });

  it("have a reason if they cannot be sent, at the limit and one past it", () => {
    const limits = { body: 20, characters: 10 };
    expect(obstacle("x".repeat(10), limits)).toBeNull();
    expect(obstacle("x".repeat(11), limits)).toContain("Too long by 1 character");
    expect(obstacle("é".repeat(10), limits)).toBeNull();
    expect(obstacle("é".repeat(9) + "€", limits)).toContain("Too long by 1 bytes");
  });

  it("of errors are the server's, or the client's own if it has none", () => {
    expect(refusal({ error: { code: "conflict", message: "Taken.", retry_after: 2 } }, 409)).toMatchObject({
      code: "conflict",
      message: "Taken.",
      retryAfter: 2,
    });
    expect(refusal({ error: { code: "bad_request", message: "username: a name has letters." } }, 400).message).toBe("A name has letters.");
    expect(refusal(null, 502).message).toContain("502");
  });
});

describe("invites", () => {
  it.each([
    ["http://localhost:8000/invite#x", true],
    ["http://127.0.0.1/invite#x", true],
    ["http://[::1]:1/invite#x", true],
    ["http://192.168.1.2/invite#x", false],
    ["https://chat.example/invite#x", false],
  ])("knows whether %s leads to this computer only", (link, only) => expect(onlyHere(link)).toBe(only));
});

describe("hues", () => {
  it.each([1, 256, 2 ** 16, 2 ** 22])("spread users whose ids are %i apart", (step) => {
    const hues = new Set(Array.from({ length: 64 }, (_, at) => hueOf(61_098_000_000_000 + at * step)));
    expect(hues.size).toBeGreaterThanOrEqual(6);
  });
});

describe("URLs", () => {
  it.each(["", "setup", "invite", "reset"])("find the server from the page /%s", (page) => {
    expect(httpUrl("api/login", `http://h:1/${page}`)).toBe("http://h:1/api/login");
    expect(socketUrl(`https://h/chat/${page}`)).toBe("wss://h/chat/ws");
  });
});
