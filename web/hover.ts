/**
 * On touch screens the last touched element keeps matching `:hover`. Put the parts of rules with
 * `:hover` under `@media (hover: hover)`, so that no component has to.
 */
interface Rule {
  selector: string;
  selectors: string[];
  parent?: Container;
  clone(changes: { selectors: string[] }): Rule;
  replaceWith(...nodes: unknown[]): void;
}
interface Container {
  type: string;
  name?: string;
  params?: string;
  parent?: Container;
}
interface Helpers {
  AtRule: new (options: { name: string; params: string; nodes: Rule[] }) => unknown;
}

const isGuarded = (inside: Container | undefined): boolean =>
  inside !== undefined && (/hover/.test(inside.params ?? "") || isGuarded(inside.parent));

export const hover = {
  postcssPlugin: "hover",
  Rule(rule: Rule, { AtRule }: Helpers): void {
    if (!rule.selector.includes(":hover") || isGuarded(rule.parent)) return;
    const [hovering, others] = [true, false].map((wanted) => rule.selectors.filter((one) => one.includes(":hover") === wanted));
    const guarded = new AtRule({ name: "media", params: "(hover: hover)", nodes: [rule.clone({ selectors: hovering! })] });
    rule.replaceWith(...(others!.length > 0 ? [rule.clone({ selectors: others! })] : []), guarded);
  },
};
