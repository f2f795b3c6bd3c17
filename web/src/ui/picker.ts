/** The emoji picker, loaded on first use. */
import { LazyComponent } from "./lazy.svelte";

export const emojiPicker = new LazyComponent(() => import("./EmojiPicker.svelte"));
