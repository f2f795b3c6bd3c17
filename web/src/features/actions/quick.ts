/** The three reactions that are one click away. They never change places, so that a click is never a surprise. */
export const QUICK: readonly string[] = ["👍", "❤️", "😂"];
