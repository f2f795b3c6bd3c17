/** By category: the emoji, what it is called, its `:names:`, and words for which one may look for it (`web/emoji.ts`). */
declare module "virtual:emoji" {
  const groups: readonly (readonly (readonly [emoji: string, label: string, names: string, tags: string])[])[];
  export default groups;
}

/** The typeface of the client (`web/fonts.js`). */
declare module "virtual:inter.css";
