/** Who is typing, in words. Pure. */
import type { Typist } from "../../state/presence";

const MOST_NAMED = 3;

export function writing(people: readonly Pick<Typist, "name">[]): string {
  if (people.length === 0) return "";
  if (people.length > MOST_NAMED) return "Several people are typing…";
  const names = people.map(({ name }) => name);
  const last = names.pop() ?? "";
  return names.length > 0 ? `${names.join(", ")} and ${last} are typing…` : `${last} is typing…`;
}
