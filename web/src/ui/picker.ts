/** The emoji to choose from, loaded when somebody first wants one. */
import { LazyComponent } from "./lazy.svelte";

export const emojiPicker = new LazyComponent(() => import("./EmojiPicker.svelte"));
