import { describe, expect, it } from "vitest";
import { gist } from "../src/features/markup/gist";
import { groupMention } from "../src/features/markup/loud";
import { colours } from "../src/features/markup/colours";
import linkCorpus from "../../contract/fixtures/links.json";
import corpus from "../../contract/fixtures/mentions.json";
import { candidates, isGroupMention, meaning } from "../src/features/markup/mentions";
import { parse } from "../src/features/markup/parse";
import { DEEPEST } from "../src/features/markup/rules";
import { plain, type Block, type Inline } from "../src/features/markup/tree";
import { targetOf } from "../src/state/links";

/** A tree in short form: `p[b[bold] i[it]]`. */
const short = (body: string): string => parse(body).map(block).join(" ");
const block = (one: Block): string => {
  if (one.kind === "paragraph") return `p[${line(one.children)}]`;
  if (one.kind === "quote") return `quote[${one.children.map(block).join(" ")}]`;
  if (one.kind === "code") return `code:${one.language}[${one.text}]`;
  return `${one.start === null ? "ul" : `ol:${one.start}`}[${one.items.map((item) => item.map(block).join(" ")).join("; ")}]`;
};
const line = (nodes: readonly Inline[]): string => nodes.map(inline).join("");
const inline = (one: Inline): string => {
  if (one.kind === "text") return one.text;
  if (one.kind === "code") return `code[${one.text}]`;
  if (one.kind === "mention") return `at[${one.run}]`;
  if (one.kind === "link") return `a[${line(one.children)} -> ${one.href}${one.host ? ` (${one.host})` : ""}]`;
  return `${one.kind}[${line(one.children)}]`;
};

describe("Markdown", () => {
  it.each([
    ["*one* _two_ **three** ~~four~~ `five *six*`", "p[emphasis[one] emphasis[two] strong[three] strike[four] code[five *six*]]"],
    ["**a *b* c** and snake_case_name, 2 * 3 * 4", "p[strong[a emphasis[b] c] and snake_case_name, 2 * 3 * 4]"],
    ["||the *end*|| a || b |||", "p[spoiler[the emphasis[end]] a || b |||]"],
    ["|| the end || a ||*b|| *c `||` d", "p[spoiler[ the end ] a spoiler[*b] *c code[||] d]"],
    ["one\n   two  \nthree\\\nfour", "p[one\n   two  \nthree\\\nfour]"],
    ["one\n\n\ntwo", "p[one] p[two]"],
    ["```py x\nif a:\n    b\n```\nafter", "code:py[if a:\n    b] p[after]"],
    ["```\n**no** @ann https://a.example", "code:[**no** @ann https://a.example]"],
    ["> one\n> two\n\nthree", "quote[p[one\ntwo]] p[three]"],
    [">_< >:( >>> x", "p[>_< >:( >>> x]"],
    ["- a\n- b\n  - c\n\n7. d\n8. e", "ul[p[a]; p[b] ul[p[c]]] ol:7[p[d]; p[e]]"],
    ["# no heading\n\nnone\n---\n\n    no code\n\n***", "p[# no heading] p[none\n---] p[no code] p[***]"],
    ["![no](https://a.example/p.png)", "p[!a[no -> https://a.example/p.png (a.example)]]"],
    ["<b>no</b> &amp; &lt; <!-- --> <a href=x>", "p[<b>no</b> &amp; &lt; <!-- --> <a href=x>]"],
    ["[a]: https://a.example\n[a]", "p[[a]: a[https://a.example -> https://a.example/]\n[a]]"],
    ["|a|b|\n|-|-|\n|1|2|", "p[|a|b|\n|-|-|\n|1|2|]"],
    ["\\*as typed\\* \\a \\@ann", "p[*as typed* \\a @ann]"],
    ["plain words, nothing else", "p[plain words, nothing else]"],
    ["> said\nanswer\n> said\n> > deeper\n> answer", "quote[p[said]] p[answer] quote[p[said] quote[p[deeper]] p[answer]]"],
    ["- a\nb\n- c\n  d\n1. e\nf", "ul[p[a]] p[b] ul[p[c\nd]] ol:1[p[e]] p[f]"],
    ["> - a\n> b\n- > c\n  d\ne", "quote[ul[p[a]] p[b]] ul[quote[p[c]] p[d]] p[e]"],
    ["2*3*4 *a*b 2**3**4 f(*args, **kw)", "p[2*3*4 *a*b 2**3**4 f(*args, **kw)]"],
    ['(*a*), *b*: **c**! "*d*" *e*-*f*', 'p[(emphasis[a]), emphasis[b]: strong[c]! "emphasis[d]" emphasis[e]-emphasis[f]]'],
    ["これは**太字**です 이것은 **굵게**는", "p[これはstrong[太字]です 이것은 strong[굵게]는]"],
    ["C:\\Users\\new\\(1).txt \\d+\\. \\# \\! end\\", "p[C:\\Users\\new\\(1).txt \\d+\\. \\# \\! end\\]"],
    ["\\> a\n\\- b\n1\\. c\nd \\> e \\- f 1\\. g", "p[> a\n- b\n1. c\nd \\> e \\- f 1\\. g]"],
    ["\\`a\\` \\|\\| \\~\\~ \\[a\\] \\<b> https\\://a.example \\_", "p[`a` || ~~ [a] <b> https://a.example _]"],
  ])("reads %j", (body, tree) => expect(short(body)).toBe(tree));

  it.each([">", "-", "1.", "- -", "> >", "```", "```\n```", "* * *", "", " "])("shows %j as it was typed", (body) =>
    expect(short(body)).toBe(`p[${body}]`),
  );

  it("keeps all text at any depth", () => {
    const body = `${"> ".repeat(60)}at the bottom`;
    const tree = short(body);
    expect(tree).toContain("at the bottom");
    expect(tree.split("quote[").length - 1).toBe(DEEPEST);
    expect(short(Array.from({ length: 60 }, (_, at) => `${"  ".repeat(at)}- ${at}`).join("\n"))).toContain("- 59");
  });
});

interface Called {
  why: string;
  body: string;
  names: string[];
  room: boolean;
  here: boolean;
  pieces?: [string, string][];
}
const CORPUS = corpus as Called[];
const MOST = 50;

/** The runs after the `@` of a tree, at any depth. */
const runs = (nodes: readonly Inline[]): string[] =>
  nodes.flatMap((node) => (node.kind === "mention" ? [node.run] : "children" in node ? runs(node.children) : []));
const called = (blocks: readonly Block[]): string[] =>
  blocks.flatMap((one) =>
    one.kind === "paragraph"
      ? runs(one.children)
      : one.kind === "quote"
        ? called(one.children)
        : one.kind === "list"
          ? one.items.flatMap(called)
          : [],
  );

describe("the summary of a message", () => {
  it.each([
    ["**one**  two\nthree", "one two"],
    ["- `a`\n- b", "a"],
    ["> \n\nit was ||the *butler*||, [see](https://a.example) @ann.", "it was ▒▒▒, see @ann."],
    [`it was ||${"the butler ".repeat(100)}||`, "it was ▒▒▒"],
    ["x".repeat(300), `${"x".repeat(160)}…`],
    ["😀".repeat(160), "😀".repeat(160)],
  ])("%j becomes one line that hides spoilers", (body, line) => expect(gist(body)).toBe(line));
});

describe("mentions", () => {
  it.each(CORPUS)("match the server: $why", ({ body, names, room, here, pieces }) => {
    const found = called(parse(body));
    expect([...new Set(found.filter((run) => !isGroupMention(run)))].slice(0, MOST)).toEqual(names);
    expect([found.some((run) => run.toLowerCase() === "room"), found.some((run) => run.toLowerCase() === "here")]).toEqual([room, here]);
    if (pieces) expect(found.map((run) => `@${run}`)).toEqual(pieces.filter(([kind]) => kind !== "text").map(([, text]) => text));
  });

  it("do not exist in links, and are shown everywhere else", () => {
    expect(short("[@no](https://a.example) ||@ann||")).toBe("p[a[@no -> https://a.example/ (a.example)] spoiler[at[ann]]]");
  });

  it("may end with punctuation of the sentence or of the name", () => {
    expect(candidates("ann")).toEqual(["ann"]);
    expect(candidates("ann._")).toEqual(["ann._", "ann.", "ann"]);
    expect(candidates("ann......")).toEqual(["ann......", "ann.....", "ann....", "ann...", "ann"]);
  });

  it("resolve to the users that the server names", () => {
    const meant = meaning({ users: [7, 8], room: true }, { id: 7, name: "Ann" }, [
      { id: 8, name: "bob" },
      { id: 9, name: "eve" },
    ]);
    expect(["ann", "Bob", "eve", "nobody", "room", "here"].map(meant)).toEqual(["me", "other", null, null, "me", null]);
    expect(meaning({ users: [8] }, { id: 7, name: "ann" })("bob")).toBe("other");
    expect(meaning(undefined, { id: 7, name: "ann" })("ann")).toBeNull();
  });
});

describe("links", () => {
  it.each([
    [
      "see https://a.example/x?y=1, (http://b.example/z_(q)) and <https://c.example>!",
      ["https://a.example/x?y=1", "http://b.example/z_(q)", "https://c.example/"],
    ],
    [
      "*https://a.example/_x_y* ||https://b.example|| [x](https://c.example/a_(b))",
      ["https://a.example/_x_y", "https://b.example/", "https://c.example/a_(b)"],
    ],
    ["[https://a.example](https://b.example) https://c.example/?a[]=1]", ["https://b.example/", "https://c.example/?a[]=1"]],
    [
      "HTTPS://A.Example, xhttps://no.example <mailto:ann@a.example> <ann@a.example>",
      ["https://a.example/", "mailto:ann@a.example", "mailto:ann@a.example"],
    ],
  ])("are found in %j", (body, hrefs) => {
    const found = (nodes: readonly Inline[]): string[] =>
      nodes.flatMap((node) => (node.kind === "link" ? [node.href] : "children" in node ? found(node.children) : []));
    expect(parse(body).flatMap((one) => (one.kind === "paragraph" ? found(one.children) : []))).toEqual(hrefs);
  });

  it.each([
    ["javascript:alert(1)"],
    ["data:text/html,x"],
    ["ftp://x.example"],
    ["https://"],
    ["file:///etc/passwd"],
    ["https:/a.example"],
    ["//a.example"],
    ["https:\\\\a.example"],
    ["https://a.example\\@b.example"],
    ["https://bank.example@evil.example"],
    ["https://u:p@evil.example/"],
    ["https://a.ex\u202eample"],
    ["https://a.example/\u200bx"],
    ["https://a.example/\tx"],
    [" https://a.example"],
    ["blob:https://a.example/x"],
    ["mailto:"],
    ["vbscript:x"],
    ["https://a b"],
  ])("are not made of %j", (address) => {
    expect(targetOf(address)).toBeNull();
    expect(short(`[x](<${address}>)`)).not.toContain("a[x");
  });

  it.each([
    ["https://a.example/x", true, "a.example"],
    ["https://A.example:8080/x", true, "a.example:8080"],
    ["https://аррӏе.example/", false, "xn--80ak6aa92e.example"],
    ["https://ｅvil.example/", false, "evil.example"],
    ["http://0x7f.1/", false, "127.0.0.1"],
    ["https://bank%2ecom.evil.example/", false, "bank.com.evil.example"],
  ])("show the host of %j if its text does not", (address, toldAlready, host) => {
    expect(targetOf(address)).toMatchObject({ plain: toldAlready, host });
    expect(short(address).includes(` (${host})`)).toBe(!toldAlready);
    expect(short(`[my bank](${address})`)).toContain(` (${host})`);
  });

  it.each(linkCorpus)("begin and end as on the server: $why", ({ body, links }) => {
    const written = (nodes: readonly Inline[]): string[] =>
      nodes.flatMap((node) => (node.kind === "link" ? [plain(node.children)] : "children" in node ? written(node.children) : []));
    expect(parse(body).flatMap((one) => (one.kind === "paragraph" ? written(one.children) : []))).toEqual(links);
  });
});

describe("colours", () => {
  it("exist for known languages and keep the text unchanged", async () => {
    const code = 'def f(x):  # why\n    return "x" * 2\n';
    const pieces = await colours("py", code);
    expect(pieces?.map((piece) => piece.text).join("")).toBe(code);
    expect(pieces?.map((piece) => piece.look)).toEqual(expect.arrayContaining(["keyword", "comment", "string", "number"]));
  });

  it.each(["", "klingon", "constructor", "__proto__"])("do not exist for %j", async (language) =>
    expect(await colours(language, "x = 1")).toBeNull(),
  );
});

describe("hostile texts", () => {
  const PARTS = [
    "*a ",
    "a* ",
    "*a_ ",
    "a_ ",
    "**a *b ",
    "[",
    "[a](",
    "![",
    "](",
    "`",
    "``a`",
    "> ",
    "> \n",
    "- ",
    "-\n",
    " - ",
    "* * * ",
    "1. ",
    "||",
    "||a ",
    "a||b",
    "~~",
    "~~a ",
    "a~~ ",
    "\\",
    "<",
    "<http:",
    "http://",
    "http://a",
    "https://a.b/(((",
    "https://a.b/))))",
    "http://@",
    "a:",
    "@",
    "@a ",
    "a@a",
    "&",
    "&amp;",
    "\n",
    "\n\n",
    " \n",
    "```\n",
    "```",
    "~~~\n```\n",
    "_",
    "__a_",
    "*_",
    "*a**b",
    "[]",
    "[[]]",
    "[a]: b\n",
    "\t- a\n",
    "    ",
    "# ",
    "|a|b|\n|-|-|\n",
    "a\n---\n",
    "\u202e",
    "é",
    "😀",
    "[a](b",
    "[a](<b",
    "[a](b)",
    "https://",
    "https://a]",
    "https://a'",
    "https://a.\u3042",
    "https://a.a.",
    "https://\u3042\u30fb",
    "1\\.",
    "\\>",
    "> a\nb\n",
    "://",
    "x://",
    ">>",
    "> - 1. ",
    "[https://a.b](",
    "|| ||",
    "*||_~~",
  ];
  const grown = (next: (step: number) => string): string => {
    let text = "";
    for (let step = 1; text.length < 65_536; step += 1) text += next(step);
    return text.slice(0, 65_536);
  };
  const whole = PARTS.map((part): [string, string] => [part, grown(() => part)]);
  const shaped: [string, string][] = [
    ["lists ever deeper", grown((step) => `${"  ".repeat(step)}- a\n`)],
    ["quotes ever deeper", grown((step) => `${">".repeat(step)} a\n`)],
    ["backticks ever longer", grown((step) => `${"`".repeat(step)} `)],
    ["opened and closed", "[".repeat(32_768) + "](a)".repeat(8_192)],
    ["emphasised and not", "*a ".repeat(10_922) + "a* ".repeat(10_922)],
    ["crossed", "*a _b ".repeat(5_461) + "a_ b* ".repeat(5_461)],
  ];

  /** On a quiet machine none takes 50 ms; quadratic time would take seconds. */
  const BOUND_MS = 150;
  it("of 64 KiB are parsed in milliseconds", () => {
    for (const [, text] of whole.slice(0, 20)) parse(text.slice(0, 2_000)); // Warms up the compiler.
    const slow = [...whole, ...shaped].flatMap(([name, text]) => {
      const times: number[] = [];
      do times.push(spent(() => parse(text)));
      while (Math.min(...times) > BOUND_MS && times.length < 5); // Noise can only make it slower.
      return Math.min(...times) > BOUND_MS ? [`${name}: ${Math.min(...times).toFixed(0)} ms`] : [];
    });
    expect(slow).toEqual([]);
  }, 60_000);
});

/** Processor time, since a busy machine lets the process wait. */
declare const process: { cpuUsage(): { user: number } };
function spent(run: () => void): number {
  const before = process.cpuUsage().user;
  run();
  return (process.cpuUsage().user - before) / 1_000;
}

describe("A mention of the room", () => {
  it.each([
    ["hello @room", "@room"],
    ["@Here!", "@here"],
    ["> quoted\n> @room.", "@room"],
    ["- **@room**", "@room"],
    ["||@here||", "@here"],
    ["`@room`", null],
    ["```\n@room\n```", null],
    ["a@room.example", null],
    ["\\@room", null],
    ["@roommate @hereby", null],
    ["https://example.org/@room", null],
  ])("in %j is %j", (body, found) => expect(groupMention(body)).toBe(found));
});
