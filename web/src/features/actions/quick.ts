/** The three emoji that are one click away: the user's recent ones, then the most popular ones. */
import { recentEmoji } from "../../persistence";

const USUAL = ["👍", "❤️", "😂"];

export function quick(user: number): readonly string[] {
  return [...new Set([...recentEmoji(user), ...USUAL])].slice(0, USUAL.length);
}
