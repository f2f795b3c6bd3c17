/** The emoji to choose from, loaded when somebody first wants one. */
import { Later } from "./later.svelte";

export const emojiPicker = new Later(() => import("./EmojiPicker.svelte"));
