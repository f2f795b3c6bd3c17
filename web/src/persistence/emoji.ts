/** The emoji a user has used recently in this browser, the newest first. */
import { ofBrowser, read, write } from "./storage";

const MOST = 24;
const keyOf = (user: number): string => `emoji.${user}`;

export const recentEmoji = (user: number): readonly string[] => (read(ofBrowser(), keyOf(user)) ?? "").split(" ").filter(Boolean);

export function usedEmoji(user: number, emoji: string): void {
  const others = recentEmoji(user).filter((one) => one !== emoji);
  write(ofBrowser(), keyOf(user), [emoji, ...others].slice(0, MOST).join(" "));
}
