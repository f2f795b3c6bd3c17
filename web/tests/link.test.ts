import { describe, expect, it } from "vitest";
import { backoff, LAST_CEILING_MS } from "../src/net/backoff";
import { ANSWER_MS, CONNECT_MS, idle, SILENCE_MS, stepLink, type LinkEffect, type LinkInput, type LinkState } from "../src/net/link";

function run(inputs: [LinkInput, number][], from: LinkState = idle): { state: LinkState; last: LinkEffect[] } {
  let state = from;
  let last: LinkEffect[] = [];
  for (const [input, now] of inputs) [state, last] = stepLink(state, input, now);
  return { state, last };
}

const open = run([
  [{ type: "start" }, 0],
  [{ type: "opened" }, 100],
  [{ type: "settled" }, 100],
]).state;

const closed = (code: number, reason = "", random = 0.5): LinkInput => ({ type: "closed", code, reason, random });
const types = (effects: LinkEffect[]): string[] => effects.map((effect) => effect.type);

describe("backoff", () => {
  it("doubles its ceiling from half a second to half a minute, with full jitter", () => {
    expect([0, 1, 2, 3].map((attempt) => backoff(attempt, 1))).toEqual([500, 1000, 2000, 4000]);
    expect(backoff(100, 1)).toBe(LAST_CEILING_MS);
    expect(backoff(5, 0)).toBe(0);
  });
});

describe("the link", () => {
  it("reconnects after a lost connection, with longer waits until a connection has worked", () => {
    const lost = run([[closed(1006), 200]], open);
    expect(lost.state).toMatchObject({ phase: "waiting", attempt: 1, retryAt: 450 });
    expect(types(lost.last)).toEqual(["drop", "lost", "timer"]);
    const again = run(
      [
        [{ type: "timer" }, 450],
        [closed(1006), 500],
      ],
      lost.state,
    );
    expect(again.state).toMatchObject({ phase: "waiting", attempt: 2, retryAt: 1000 });
    const good = run(
      [
        [{ type: "timer" }, 1000],
        [{ type: "opened" }, 1100],
        [{ type: "settled" }, 1100],
      ],
      again.state,
    );
    expect(good.state).toMatchObject({ phase: "open", attempt: 0 });
  });

  it("does not count an opened socket alone as a working connection", () => {
    const lost = run(
      [
        [closed(1006), 1],
        [{ type: "timer" }, 2],
        [{ type: "opened" }, 3],
        [closed(1006), 4],
      ],
      open,
    );
    expect(lost.state.attempt).toBe(2);
  });

  it("waits as long as a stopping server asks", () => {
    expect(run([[closed(4000, '{"retry_after":2.3}'), 1000]], open).state.retryAt).toBe(3300);
  });

  it.each(["", "bye", "null", '{"retry_after":"x"}', '{"retry_after":-1}'])("uses its own wait if the reason is %j", (reason) =>
    expect(run([[closed(4000, reason), 1000]], open).state.retryAt).toBe(1250),
  );

  it.each([4501, 4503, 4510])("does not reconnect after %i", (code) => {
    const { state, last } = run([[closed(code), 200]], open);
    expect(state).toMatchObject({ phase: "stopped", code });
    expect(types(last)).toEqual(["no timer", "drop", "lost"]);
  });

  it("reconnects after 4008, 4009 and 1009", () => {
    for (const code of [4008, 4009, 1009]) expect(run([[closed(code), 200]], open).state.phase).toBe("waiting");
  });

  it("sends a ping after silence, and takes any frame as an answer", () => {
    const asked = run([[{ type: "timer" }, 100 + SILENCE_MS]], open);
    expect(types(asked.last)).toEqual(["ping", "timer"]);
    const heard = run(
      [
        [{ type: "heard" }, 100 + SILENCE_MS + 5],
        [{ type: "timer" }, 100 + SILENCE_MS + ANSWER_MS],
      ],
      asked.state,
    );
    expect(heard.state.phase).toBe("open");
    expect(heard.last).toEqual([{ type: "timer", at: 100 + 2 * SILENCE_MS + 5 }]);
  });

  it("sends no ping while frames arrive", () => {
    const { last } = run(
      [
        [{ type: "heard" }, 20_000],
        [{ type: "timer" }, 100 + SILENCE_MS],
      ],
      open,
    );
    expect(last).toEqual([{ type: "timer", at: 20_000 + SILENCE_MS }]);
  });

  it("drops a connection that does not answer", () => {
    const { state, last } = run(
      [
        [{ type: "timer" }, 30_000],
        [{ type: "timer" }, 30_000 + ANSWER_MS],
      ],
      open,
    );
    expect(state.phase).toBe("waiting");
    expect(types(last)).toEqual(["drop", "lost", "timer"]);
  });

  it("drops an attempt that takes too long", () => {
    const { state, last } = run([
      [{ type: "start" }, 0],
      [{ type: "timer" }, CONNECT_MS],
    ]);
    expect(state.phase).toBe("waiting");
    expect(types(last)).toEqual(["drop", "timer"]);
  });

  it("connects at once when woken, and pings an open connection", () => {
    const waiting = run([[closed(1006, "", 0.99), 200]], open).state;
    expect(types(run([[{ type: "wake" }, 210]], waiting).last)).toContain("open");
    expect(types(run([[{ type: "wake" }, 210]], open).last)).toEqual(["ping", "timer"]);
  });

  it("starts again for a new login after a close code that forbids reconnecting", () => {
    const away = run([[closed(4503), 200]], open).state;
    expect(run([[{ type: "start" }, 300]], away).state.phase).toBe("connecting");
  });
});
