import { describe, expect, it } from "vitest";
import { entered, grouped, inWords, optionsOf, parsed, type Setting } from "../src/features/site/settings";

function setting(more: Partial<Setting>): Setting {
  return {
    setting: "name",
    label: "Name",
    group: "Site",
    description: "",
    allowed: "",
    kind: "text",
    unit: "",
    choices: [],
    minimum: null,
    maximum: null,
    default: "Hubbub",
    value: "Hubbub",
    source: "default",
    fixed: false,
    fixed_by: null,
    stored: false,
    problem: null,
    ...more,
  };
}

const days = setting({
  setting: "retention_days",
  kind: "number",
  unit: "days",
  minimum: 1,
  maximum: 36_500,
  default: 30,
  value: 7,
  group: "Log",
});
const guests = setting({ setting: "guests", kind: "switch", default: false, value: true });
const signup = setting({ setting: "signup", kind: "choice", choices: ["invite", "open", "vouched"], default: "invite", value: "open" });

describe("settings of the site", () => {
  it("are in words", () => {
    expect([days, guests, signup, setting({})].map((one) => inWords(one, one.default))).toEqual(["30 days", "off", "By invite", "Hubbub"]);
  });

  it("offer choices this client has no words for", () => {
    expect(optionsOf(signup).map(({ label }) => label)).toEqual(["By invite", "Open", "vouched"]);
  });

  it("fill the fields with texts and switches", () => {
    const unknown = setting({ setting: "theme", kind: "unknown", value: null });
    expect(entered([days, guests, signup, unknown])).toEqual({ retention_days: "7", guests: true, signup: "open", theme: "" });
  });

  it.each([
    ["1", 1],
    [" 36500 ", 36_500],
  ])("read %s as a number", (text, value) => expect(parsed(days, text)).toEqual({ value }));

  it.each(["0", "36501", "-1", "1.5", "1e3", "", "x", "9".repeat(40)])("do not read %s as a number", (text) =>
    expect(parsed(days, text)).toEqual({ error: "Enter a whole number from 1 to 36500." }),
  );

  it("are read in the type of the setting", () => {
    expect(parsed(guests, false)).toEqual({ value: false });
    expect(parsed(setting({}), " 12 ")).toEqual({ value: "12" });
    expect(parsed(signup, "closed")).toEqual({ value: "closed" });
  });

  it("are listed under their headings, in their order", () => {
    const names = grouped([guests, days, signup]).map(([group, members]) => [group, members.map((one) => one.setting)]);
    expect(names).toEqual([
      ["Site", ["guests", "signup"]],
      ["Log", ["retention_days"]],
    ]);
  });
});
