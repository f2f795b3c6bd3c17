/** The three emoji that are one click away: those one used last, then those that most people use. */
import { recentEmoji } from "../../persistence";

const USUAL = ["👍", "❤️", "😂"];

export function quick(user: number): readonly string[] {
  return [...new Set([...recentEmoji(user), ...USUAL])].slice(0, USUAL.length);
}
