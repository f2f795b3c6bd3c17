/** The custom properties of a host's page that change the look of a room. Pure. */

type Supports = (property: string, value: string) => boolean;

interface Themed {
  /** The CSS property that must accept the value. */
  readonly as: string;
  /** What to set on the root element. */
  readonly sets: (value: string) => Readonly<Record<string, string>>;
}

const colour = (...sets: (readonly [string, ((value: string) => string)?])[]): Themed => ({
  as: "color",
  sets: (value) => Object.fromEntries(sets.map(([name, change]) => [name, change ? change(value) : value])),
});
const mixed = (share: number, other: string) => (value: string) => `color-mix(in oklab, ${value} ${share}%, ${other})`;

export const THEME: Readonly<Record<string, Themed>> = {
  "--hubbub-accent": colour(["--accent"], ["--accent-strong", mixed(84, "var(--ink)")], ["--chosen", mixed(14, "transparent")]),
  "--hubbub-on-accent": colour(["--on-accent"]),
  "--hubbub-background": colour(["--paper"]),
  "--hubbub-surface": colour(["--raised"], ["--side"]),
  "--hubbub-text": colour(["--ink"], ["--edge", mixed(55, "var(--paper)")]),
  "--hubbub-text-soft": colour(["--soft"]),
  "--hubbub-line": colour(["--line"]),
  "--hubbub-font": { as: "font-family", sets: (value) => ({ "--sans": value }) },
  "--hubbub-font-size": { as: "font-size", sets: (value) => ({ "font-size": value }) },
};
/** Everything that a theme may set. */
export const SET = [...new Set(Object.values(THEME).flatMap(({ sets }) => Object.keys(sets(""))))];
const MAX_VALUE = 200;
/** Functions that would refer to something of this page, or to another resource. */
const REFERS = /(?:var|env|attr|url|image|src)\s*\(/i;

/** Return the declarations for the root element. Values that a browser does not accept are left out. */
export function themed(values: Readonly<Record<string, unknown>>, supports: Supports): Record<string, string> {
  const found: Record<string, string> = {};
  for (const [name, { as, sets }] of Object.entries(THEME)) {
    const value = values[name];
    if (typeof value !== "string" || value.length > MAX_VALUE || REFERS.test(value) || !supports(as, value)) continue;
    Object.assign(found, sets(value));
  }
  return found;
}

/** Apply what the element has sent. */
export function applyTheme(dark: boolean, values: Readonly<Record<string, unknown>>, root = document.documentElement): void {
  root.classList.toggle("dark", dark);
  root.classList.toggle("light", !dark);
  const found = themed(values, (property, value) => CSS.supports(property, value));
  for (const name of SET) root.style.setProperty(name, found[name] ?? null);
}
