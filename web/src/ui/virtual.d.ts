/** By category: the emoji, its label, its `:names:`, and search words (`web/emoji.ts`). */
declare module "virtual:emoji" {
  const groups: readonly (readonly (readonly [emoji: string, label: string, names: string, tags: string])[])[];
  export default groups;
}

/** The typeface of the client (`web/fonts.js`). */
declare module "virtual:inter.css";
