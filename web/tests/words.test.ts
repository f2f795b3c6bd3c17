import { describe, expect, it } from "vitest";
import { onlyHere } from "../src/features/invites/invites";
import { clean, obstacle } from "../src/features/messages/messages";
import { noteText } from "../src/features/messages/notes";
import { refusal } from "../src/net/http";
import { httpUrl, socketUrl } from "../src/net/places";
import { rows } from "../src/state/rows";
import { fromMembership, fromMessage, type Item, type NoteItem } from "../src/state/timeline";
import { hueOf } from "../src/ui/hue";
import { joined, said } from "./build";

const message = (seq: number, at: string, by = 8): Item => fromMessage(said(seq, { at, by }));
const note = (seq: number, user: number, name: string): NoteItem => fromMembership(joined(seq, user, name));

describe("rows", () => {
  it("groups what one author says within five minutes", () => {
    const found = rows([message(1, "2026-01-02T10:00:00Z"), message(2, "2026-01-02T10:04:00Z"), message(3, "2026-01-02T10:10:00Z"), message(4, "2026-01-02T10:10:01Z", 9)], null, 7);
    expect(found.map((row) => (row.kind === "message" ? row.first : row.kind))).toEqual(["day", true, false, true, true]);
  });

  it("puts a line between two days", () => {
    const found = rows([message(1, "2026-01-02T12:00:00Z"), message(2, "2026-01-04T12:00:00Z")], null, 7);
    expect(found.map((row) => row.kind)).toEqual(["day", "message", "day", "message"]);
  });

  it("marks where one stopped reading, unless one's own words come next", () => {
    const items = [message(1, "2026-01-02T12:00:00Z"), message(2, "2026-01-02T12:00:01Z")];
    expect(rows(items, 1, 7).map((row) => row.kind)).toEqual(["day", "message", "new", "message"]);
    expect(rows(items, 1, 8).map((row) => row.kind)).toEqual(["day", "message", "message"]);
    expect(rows(items, 2, 7).map((row) => row.kind)).toEqual(["day", "message", "message"]);
  });

  it("gathers people who join one after the other, each row with a key of its own", () => {
    const found = rows([note(1, 8, "bob"), note(2, 9, "carol"), message(3, "2026-01-02T03:05:00Z"), note(4, 10, "dan")], null, 7);
    expect(found.map((row) => row.kind)).toEqual(["day", "notes", "message", "notes"]);
    expect(new Set(found.map((row) => row.key)).size).toBe(4);
  });
});

describe("words", () => {
  it("names up to three people, then counts", () => {
    const notes = ["bob", "carol", "dan", "eve"].map((name, at) => note(at + 1, at + 8, name));
    expect(noteText([notes[0]!], 7)).toBe("bob joined");
    expect(noteText([notes[0]!, notes[1]!, notes[2]!], 7)).toBe("bob, carol and dan joined");
    expect(noteText([notes[0]!, ...notes.slice(1)], 7)).toBe("bob, carol and 2 others joined");
    expect(noteText([{ ...notes[0]!, kind: "removed" }], 8)).toBe("You were removed");
  });

  it("sends only what can be written down", () => {
    expect(clean("a\u0000b \ud800 c \u{1f331}")).toBe("ab \ufffd c \u{1f331}");
  });

  it("says what keeps a text from being sent, at the limit and one past it", () => {
    const limits = { body: 20, characters: 10 };
    expect(obstacle("x".repeat(10), limits)).toBeNull();
    expect(obstacle("x".repeat(11), limits)).toContain("1 characters too long");
    expect(obstacle("é".repeat(10), limits)).toBeNull();
    expect(obstacle("é".repeat(9) + "€", limits)).toContain("Too long by 1 bytes");
  });

  it("shows the server's own sentence, and one of its own where there is none", () => {
    expect(refusal({ error: { code: "conflict", message: "Taken.", retry_after: 2 } }, 409)).toMatchObject({ code: "conflict", message: "Taken.", retryAfter: 2 });
    expect(refusal({ error: { code: "bad_request", message: "username: a name has letters." } }, 400).message).toBe("A name has letters.");
    expect(refusal(null, 502).message).toContain("502");
  });
});

describe("invites", () => {
  it.each([["http://localhost:8000/invite#x", true], ["http://127.0.0.1/invite#x", true], ["http://[::1]:1/invite#x", true], ["http://192.168.1.2/invite#x", false], ["https://chat.example/invite#x", false]])(
    "knows whether %s leads to this computer only",
    (link, only) => expect(onlyHere(link)).toBe(only),
  );
});

describe("hues", () => {
  it.each([1, 256, 2 ** 16, 2 ** 22])("spreads people whose ids are %i apart over the hues", (step) => {
    const hues = new Set(Array.from({ length: 64 }, (_, at) => hueOf(61_098_000_000_000 + at * step)));
    expect(hues.size).toBeGreaterThanOrEqual(6);
  });
});

describe("places", () => {
  it.each(["", "setup", "invite", "reset"])("finds the server from the page /%s", (page) => {
    expect(httpUrl("api/login", `http://h:1/${page}`)).toBe("http://h:1/api/login");
    expect(socketUrl(`https://h/chat/${page}`)).toBe("wss://h/chat/ws");
  });
});
