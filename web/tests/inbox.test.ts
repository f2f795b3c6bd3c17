import { describe, expect, it } from "vitest";
import { Inbox, MOST_WAITING } from "../src/net/inbox";

/** Processing takes as long as the text says. */
function inbox(also: (text: string, box: Inbox) => void = () => {}): { box: Inbox; taken: string[] } {
  const taken: string[] = [];
  let clock = 0;
  const box = new Inbox(
    (text) => {
      taken.push(text);
      clock += Number(text.split(" ")[0]);
      also(text, box);
    },
    () => clock,
  );
  return { box, taken };
}

describe("the inbox", () => {
  it("processes frames in order, within its time limit", () => {
    const { box, taken } = inbox();
    for (const text of ["4 a", "4 b", "4 c", "90 d", "1 e"]) expect(box.add(text)).toBe(true);
    expect(box.run(10)).toBe(true);
    expect(taken).toEqual(["4 a", "4 b", "4 c"]);
    // At least one frame, however long it takes.
    expect(box.run(10)).toBe(true);
    expect(box.run(10)).toBe(false);
    expect(box.run(10)).toBe(false);
    expect(taken).toEqual(["4 a", "4 b", "4 c", "90 d", "1 e"]);
  });

  it("processes each frame once, also if the handler runs the inbox itself", () => {
    const { box, taken } = inbox((text, here) => void (text === "1 b" && here.run(Number.POSITIVE_INFINITY)));
    for (const text of ["1 a", "1 b", "1 c", "1 d"]) box.add(text);
    expect(box.run(10)).toBe(false);
    expect(taken).toEqual(["1 a", "1 b", "1 c", "1 d"]);
  });

  it("is limited in size, and processed frames do not count", () => {
    const { box } = inbox();
    const half = `1 ${"x".repeat(MOST_WAITING / 2 - 2)}`;
    expect(box.add(half)).toBe(true);
    expect(box.add(half)).toBe(true);
    expect(box.add("1")).toBe(false);
    expect(box.run(1)).toBe(true);
    expect(box.add("1")).toBe(true);
  });
});
