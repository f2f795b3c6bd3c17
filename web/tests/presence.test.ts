import { afterEach, describe, expect, it, vi } from "vitest";
import { watchIdle, IDLE_MS } from "../src/features/presence/idle";
import { changed } from "../src/features/presence/statuses";
import { statusSuffix, endOf, local, until } from "../src/features/presence/words";
import { writing } from "../src/features/typing/typing";
import { welcomed } from "../src/state/load";
import { current, quiet, signalled, spoken, typists, TYPING_MS, type Signals } from "../src/state/presence";
import { reduce } from "../src/state/reduce";
import { initial } from "../src/state/state";
import type { Command, Frame } from "../src/sync/frames";
import { empty, stepSync, type SyncEffect, type SyncInput } from "../src/sync/machine";
import { TYPING_EVERY_MS } from "../src/sync/ephemeral";
import { MAX_WATCHED } from "../src/limits";
import { alice, AT, welcome } from "./build";

/** A sync machine whose frames are inspected. */
function client() {
  let state = empty;
  const step = (now: number, ...inputs: SyncInput[]): SyncEffect[] =>
    inputs.flatMap((input) => {
      const [after, effects] = stepSync(state, input, now);
      state = after;
      return effects;
    });
  const says = (now: number, ...inputs: SyncInput[]): Command[] =>
    step(now, ...inputs).flatMap((effect) => (effect.type === "transmit" ? [effect.command] : []));
  const hears = (frame: Frame, now = 0): SyncEffect[] => step(now, { type: "frame", frame });
  const connects = (): Command[] =>
    says(0, { type: "lost" }, { type: "opened" }, { type: "frame", frame: welcome({ "room:1": 10, "user:7": 3 }) }).slice(1);
  return { says, hears, connects };
}

const idOf = (command: Command | undefined): number => (command && "id" in command ? command.id : Number.NaN);

describe("signals on the wire", () => {
  it("send typing every three seconds per room, and only while connected", () => {
    const { says, connects } = client();
    const typing = (room: number): SyncInput => ({ type: "typing", room });
    expect(says(0, typing(1))).toEqual([]);
    connects();
    expect(says(10, typing(1), typing(1), typing(2))).toMatchObject([
      { type: "typing", room: 1 },
      { type: "typing", room: 2 },
    ]);
    expect(says(9 + TYPING_EVERY_MS, typing(1))).toEqual([]);
    expect(says(10 + TYPING_EVERY_MS, typing(1))).toMatchObject([{ type: "typing", room: 1 }]);
  });

  it("are sent anew on every connection: watched users and idle", () => {
    const { says, connects } = client();
    expect(says(0, { type: "watch", users: [8, 9] }, { type: "idle", idle: true })).toEqual([]);
    const said = [
      { type: "presence.idle", idle: true },
      { type: "presence.watch", users: [8, 9] },
    ];
    expect(connects()).toMatchObject(said);
    expect(connects()).toMatchObject(said);
    says(0, { type: "idle", idle: false }, { type: "watch", users: [] });
    expect(connects()).toEqual([]);
  });

  it("watch at most as many users as the server accepts", () => {
    const { says, connects } = client();
    connects();
    const [watch] = says(0, { type: "watch", users: Array.from({ length: MAX_WATCHED + 1 }, (_, at) => at + 1) });
    expect(watch).toMatchObject({ users: { length: MAX_WATCHED } });
  });

  it("keep only users that the newest answer names, and ask again after a refusal", () => {
    const { says, hears, connects } = client();
    connects();
    const [first, second] = says(0, { type: "watch", users: [8] }, { type: "watch", users: [9] });
    expect(hears({ re: idOf(first), ok: { presences: [{ user: 8, status: "away" }] } })).toEqual([]);
    expect(hears({ re: idOf(second), error: { code: "rate_limited", message: "", retry_after: 2 } })).toEqual([
      { type: "timer", at: 2000 },
    ]);
    const [again] = says(2000, { type: "timer" });
    expect(again).toMatchObject({ type: "presence.watch", users: [9] });
    const presences = [{ user: 9, status: "dnd" as const }];
    expect(hears({ re: idOf(again), ok: { presences } })).toEqual([{ type: "signal", signal: { type: "presence", presences }, all: true }]);
    expect(says(9000, { type: "timer" })).toEqual([]);
  });
});

describe("typing", () => {
  const type = (signals: Signals, user: number, now: number): Signals =>
    signalled(signals, { type: "typing", room: 1, by: user, name: `name ${user}` }, false, now);
  const users = (signals: Signals, now: number): number[] => typists(signals, 1, now).map(({ user }) => user);

  it("lasts five seconds from the last signal, or until the message arrives", () => {
    const both = type(type(type(quiet, 8, 0), 9, 100), 8, 200);
    expect(users(both, 300)).toEqual([8, 9]);
    expect(users(both, 100 + TYPING_MS)).toEqual([8]);
    expect(users(both, 200 + TYPING_MS)).toEqual([]);
    expect(users(spoken(both, 1, 8), 300)).toEqual([9]);
    expect(spoken(spoken(both, 1, 8), 1, 9).typing).toEqual({});
    expect(spoken(both, 2, 8)).toBe(both);
  });

  it.each([
    [0, ""],
    [1, "a is typing…"],
    [2, "a and b are typing…"],
    [3, "a, b and c are typing…"],
    [4, "Several people are typing…"],
  ])("names %i users", (count, words) => {
    expect(writing([..."abcd"].slice(0, count).map((name) => ({ name })))).toBe(words);
  });
});

describe("presence", () => {
  it("has the latest reports of all watched users", () => {
    const first = signalled(
      quiet,
      {
        type: "presence",
        presences: [
          { user: 8, status: "away" },
          { user: 9, status: "online" },
        ],
      },
      true,
      0,
    );
    const later = signalled(first, { type: "presence", presences: [{ user: 8, status: "online" }] }, false, 0);
    expect(later.people).toMatchObject({ 8: { status: "online" }, 9: { status: "online" } });
    expect(signalled(later, { type: "presence", presences: [] }, true, 0).people).toEqual({});
  });

  it("includes the user's own status on every device, from the welcome on", () => {
    const chosen = { status: "dnd", text: "Busy" } as const;
    const state = welcomed(initial(alice), welcome({ "user:7": 5 }, { status: chosen }), []);
    expect(state.status).toEqual(chosen);
    const event = (seq: number) => ({ topic: "user:7", seq, type: "status.changed", at: AT, status: { status: "away" } }) as const;
    expect(reduce(state, event(5)).status).toEqual(chosen);
    expect(reduce(state, event(6)).status).toEqual({ status: "away" });
    expect(current({ ...chosen, until: AT }, Date.parse(AT) - 1)).toMatchObject(chosen);
    expect(current({ ...chosen, until: AT }, Date.parse(AT))).toEqual({ status: "online" });
  });

  it("is shown in words after a name", () => {
    expect(statusSuffix({ status: "away" })).toBe(", away");
    expect(statusSuffix({ status: "dnd", emoji: "🍝", text: "Lunch" })).toBe(", do not disturb, 🍝 Lunch");
    expect(statusSuffix(undefined)).toBe("");
  });

  it("ends at its chosen time", () => {
    const sunday = new Date(2026, 2, 1, 12, 30);
    const monday = new Date(2026, 2, 2);
    expect([endOf("today", "", sunday), endOf("week", "", sunday)]).toEqual([monday, monday]);
    expect(endOf("week", "", monday)).toEqual(new Date(2026, 2, 9));
    expect(endOf("half", "", sunday)).toEqual(new Date(2026, 2, 1, 13, 0));
    expect(endOf("never", "", sunday)).toBeNull();
    expect(endOf("custom", local(sunday), monday)).toEqual(sunday);
    expect(until(monday.toISOString(), sunday)).toBe("until the end of the day");
  });

  it("keeps what does not change, and an end only if something can end", () => {
    const own = { status: "dnd", text: "Busy", until: AT } as const;
    expect(changed(own, { status: "away" })).toEqual({ status: "away", text: "Busy", emoji: null, until: AT });
    expect(changed({ status: "dnd", until: AT }, { status: "online" })).toMatchObject({ status: "online", until: null });
  });
});

describe("watchIdle", () => {
  afterEach(() => (vi.useRealTimers(), vi.unstubAllGlobals()));

  it("reports idle after five minutes without input, and active on the next input", () => {
    vi.useFakeTimers();
    const [window, page] = [new EventTarget(), Object.assign(new EventTarget(), { visibilityState: "visible" })];
    vi.stubGlobal("addEventListener", window.addEventListener.bind(window));
    vi.stubGlobal("document", page);
    const reported: boolean[] = [];
    const stop = watchIdle((idle) => reported.push(idle));
    vi.advanceTimersByTime(IDLE_MS - 1);
    window.dispatchEvent(new Event("keydown"));
    vi.advanceTimersByTime(IDLE_MS - 1);
    expect(reported).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(reported).toEqual([true]);
    page.visibilityState = "hidden";
    page.dispatchEvent(new Event("visibilitychange"));
    expect(reported).toEqual([true]);
    window.dispatchEvent(new Event("pointermove"));
    window.dispatchEvent(new Event("pointermove"));
    expect(reported).toEqual([true, false]);
    vi.advanceTimersByTime(IDLE_MS);
    page.visibilityState = "visible";
    page.dispatchEvent(new Event("visibilitychange"));
    expect(reported).toEqual([true, false, true, false]);
    stop();
    vi.advanceTimersByTime(2 * IDLE_MS);
    expect(reported).toHaveLength(4);
  });
});
