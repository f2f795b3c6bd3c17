/** The emoji of emojibase as one small module, `virtual:emoji`, made when the client is built. */
import type { Plugin } from "vite";
import all from "emojibase-data/en/data.json" with { type: "json" };
import emojibase from "emojibase-data/en/shortcodes/emojibase.json" with { type: "json" };
import github from "emojibase-data/en/shortcodes/github.json" with { type: "json" };

const MODULE = "virtual:emoji";
/** Parts of others, such as a tone of skin alone. */
const COMPONENTS = 2;
/** Younger ones are boxes on most screens still. */
const NEWEST = 16;

type Names = Record<string, string | string[] | undefined>;
type Row = [emoji: string, label: string, names: string, tags: string];

/** As Unicode lists them, "fully qualified": emojibase asks for colour also where that is the default. */
const qualified = (emoji: string): string => emoji.replace(/(\p{Emoji_Presentation})\uFE0F/gu, "$1");

function rows(): Row[][] {
  const groups: Row[][] = [];
  for (const { emoji, label, group, tags = [], version, hexcode } of [...all].sort((a, b) => (a.order ?? 0) - (b.order ?? 0))) {
    if (group === undefined || group === COMPONENTS || version > NEWEST) continue;
    const names = new Set([(github as Names)[hexcode] ?? [], (emojibase as Names)[hexcode] ?? []].flat());
    (groups[group > COMPONENTS ? group - 1 : group] ??= []).push([qualified(emoji), label, [...names].join(" "), tags.join(" ")]);
  }
  return groups;
}

export function emoji(): Plugin {
  return {
    name: "emoji",
    resolveId: (id) => (id === MODULE ? `\0${MODULE}` : null),
    load: (id) => (id === `\0${MODULE}` ? `export default JSON.parse(${JSON.stringify(JSON.stringify(rows()))});` : null),
  };
}
