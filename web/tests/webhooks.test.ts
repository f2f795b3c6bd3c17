import { describe, expect, it } from "vitest";
import type { Delivery, Webhook } from "../src/features/webhooks/webhooks";
import { roomOf } from "../src/features/webhooks/webhooks";
import { conditionOf, eventGroups, eventName, EVENTS, outcome, usualEvents } from "../src/features/webhooks/words";

const AT = "2026-03-01T12:00:00.000Z";

function webhook(change: Partial<Webhook> = {}): Webhook {
  return {
    id: 1,
    room: 7,
    name: "Receiver",
    url: "https://example.org/hook",
    events: ["message.sent"],
    state: "running",
    paused_reason: null,
    created_by: 2,
    created_at: AT,
    rotated_at: null,
    waiting_count: 0,
    oldest_at: null,
    failing_since: null,
    next_attempt_at: null,
    dead_letter_count: 0,
    last_delivery: null,
    ...change,
  };
}

const delivery = (change: Partial<Delivery> = {}): Delivery => ({
  at: AT,
  type: "message.sent",
  room: 7,
  seq: 3,
  status: 204,
  milliseconds: 35,
  error: null,
  ...change,
});

describe("the events of a webhook", () => {
  it("are offered once each, in their groups", () => {
    const offered = eventGroups(true).flatMap(([, types]) => types);
    expect(offered.toSorted()).toEqual(Object.keys(EVENTS).toSorted());
    expect(new Set(offered).size).toBe(offered.length);
  });

  it("of a room leave out its creation, which comes before any webhook", () => {
    expect(eventGroups(false).flatMap(([, types]) => types)).not.toContain("room.created");
    expect(eventGroups(true).flatMap(([, types]) => types)).toContain("room.created");
  });

  it("are those of messages unless the user chooses others", () => {
    expect(usualEvents()).toEqual(["message.sent", "message.edited", "message.deleted"]);
  });

  it("have names, also a test event and a type that a newer server sends", () => {
    expect(eventName("message.sent")).toBe("Message sent");
    expect(eventName("member.role_changed")).toBe("Member role changed");
    expect(eventName("reaction.added")).toBe("Reaction added");
    expect(eventName("webhook.test")).toBe("Test event");
    expect(eventName("poll.closed")).toBe("poll.closed");
    expect(eventName("toString")).toBe("toString");
  });
});

describe("the state of a webhook", () => {
  it.each<[string, Partial<Webhook>, string, string, RegExp]>([
    ["starting", { state: "starting" }, "Starting", "quiet", /in a moment/],
    ["up to date", {}, "Active", "good", /All events were sent/],
    ["behind", { waiting_count: 2 }, "Active", "good", /Sending/],
    ["paused by a user", { state: "paused", waiting_count: 1 }, "Paused", "quiet", /until it is resumed.*1 event /],
    ["paused by the server", { state: "paused", paused_reason: "The receiver answered 410." }, "Paused", "bad", /answered 410/],
    ["failing", { failing_since: AT, next_attempt_at: AT, waiting_count: 1200 }, "Failing", "bad", /since .*Next attempt: .*1,200 events/],
    ["failing, and being tried", { failing_since: AT }, "Failing", "bad", /^Failing since [^.]*\.$/],
    ["paused while it failed", { state: "paused", failing_since: AT }, "Paused", "quiet", /Paused/],
  ])("is in words when it is %s", (_, change, label, tone, text) => {
    const found = conditionOf(webhook(change));
    expect(found).toMatchObject({ label, tone });
    expect(found.text).toMatch(text);
  });
});

describe("a delivery", () => {
  it("says its status and time, or why it failed", () => {
    expect(outcome(delivery())).toBe("204 in 35 ms");
    expect(outcome(delivery({ milliseconds: 12_340 }))).toBe("204 in 12.3 s");
    expect(outcome(delivery({ status: null, error: "example.org refused the connection." }))).toBe("example.org refused the connection.");
  });

  it("that was given up names its room", () => {
    expect(roomOf({ topic: "room:42", seq: 1, at: AT, attempts: 1, reason: "", retry: false })).toBe(42);
  });
});
