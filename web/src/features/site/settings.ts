/** The settings of the site, as staff sees and changes them. */
import type { Setting, Settings } from "../../contract";
import { get, put, remove } from "../../net/http";

export type { Setting };
export type Value = NonNullable<Setting["value"]>;

export const loadSettings = async (): Promise<readonly Setting[]> => (await get<Settings>("api/settings")).settings;

export const setSetting = (setting: string, value: Value): Promise<void> => put(`api/settings/${setting}`, { value });
export const unsetSetting = (setting: string): Promise<void> => remove(`api/settings/${setting}`);

/** The words for the values of choices. A value without words is shown as it is. */
const CHOICES: Readonly<Record<string, { label: string; hint: string }>> = {
  "signup invite": { label: "By invite", hint: "New people need an invite link." },
  "signup open": { label: "Open", hint: "Every visitor can create an account." },
  "signup closed": { label: "Closed", hint: "Only the command line creates accounts." },
};

export const optionsOf = ({ setting, choices }: Setting): { value: string; label: string; hint: string }[] =>
  choices.map((value) => ({ value, ...(CHOICES[`${setting} ${value}`] ?? { label: value, hint: "" }) }));

/** Return a value in words, such as "30 days" or "on". */
export function inWords(setting: Setting, value: Setting["value"]): string {
  if (typeof value === "boolean") return value ? "on" : "off";
  if (setting.kind === "choice") return CHOICES[`${setting.setting} ${value}`]?.label ?? String(value);
  return [value ?? "", setting.unit].join(" ").trim();
}

/** What is in the fields: texts, also for numbers, and switches. */
export type Entered = Record<string, string | boolean>;

export function entered(settings: readonly Setting[]): Entered {
  return Object.fromEntries(settings.map(({ setting, value }) => [setting, typeof value === "boolean" ? value : String(value ?? "")]));
}

/** Return the value of a field in the type of its setting, or a sentence that says what is wrong. */
export function parsed(setting: Setting, field: string | boolean): { value: Value } | { error: string } {
  if (setting.kind !== "number" || typeof field === "boolean") return { value: typeof field === "boolean" ? field : field.trim() };
  const number = Number(field);
  const { minimum, maximum } = setting;
  if (/^\d{1,9}$/.test(field.trim()) && number >= (minimum ?? number) && number <= (maximum ?? number)) return { value: number };
  return { error: `Enter a whole number from ${minimum} to ${maximum}.` };
}

/** The settings by their headings, in their order. */
export function grouped(settings: readonly Setting[]): [string, Setting[]][] {
  const groups = new Map<string, Setting[]>();
  for (const one of settings) groups.set(one.group, [...(groups.get(one.group) ?? []), one]);
  return [...groups];
}
