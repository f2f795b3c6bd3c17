/**
 * The client's typeface, Inter, as `virtual:inter.css`: the parts that the client uses, generated
 * by the build.
 *
 * The package has every weight of every letter, 133 KB for Latin alone. The generated subset has 65
 * KB in two files; a browser loads the second only for text with such letters. Generation takes
 * seconds, so the result is cached for the next build.
 */
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import process from "node:process";
import { fileURLToPath } from "node:url";
import subsetFont from "subset-font";

const MODULE = "virtual:inter.css";
const PACKAGE = new URL("node_modules/@fontsource-variable/inter/", import.meta.url);
const KEPT = new URL("node_modules/.cache/inter/", import.meta.url);
const WEIGHTS = { min: 400, max: 700 };
/**
 * By file of the package: Google's ranges, the second without phonetic symbols and with all of
 * Vietnamese.
 */
const RANGES = {
  latin:
    "U+0000-00FF,U+0131,U+0152-0153,U+02BB-02BC,U+02C6,U+02DA,U+02DC,U+0304,U+0308,U+0329,U+2000-206F,U+20AC,U+2122,U+2191,U+2193,U+2212,U+2215,U+FEFF,U+FFFD",
  "latin-ext": "U+0100-0130,U+0132-0151,U+0154-024F,U+1E00-1EFF,U+20A0-20AB,U+20AD-20C0,U+2113",
};
/** Preloaded with the page, before any style asks for it. */
const FIRST = /inter-latin-[^e][^/]*\.woff2$/;

/** The metrics of Inter, as shares of the font size. */
const ASCENT = 0.96875;
const DESCENT = 0.2412;
/**
 * Local fallback fonts until Inter has loaded, scaled to the width of the same English text in
 * Inter, so that hardly any line breaks elsewhere. Per name: fonts with the same metrics, and the
 * factor for regular (400) and bold (650).
 */
const STANDINS = [
  {
    name: "Arial",
    regular: ["Arial", "Liberation Sans", "Arimo", "Helvetica"],
    bold: ["Arial Bold", "Liberation Sans Bold", "Arimo Bold", "Helvetica Bold"],
    scale: [1.071, 1.017],
  },
  { name: "Roboto", regular: ["Roboto", "Roboto Regular"], bold: ["Roboto Bold"], scale: [1.078, 1.084] },
  { name: "Noto", regular: ["Noto Sans", "Noto Sans Regular"], bold: ["Noto Sans Bold"], scale: [1.009, 0.966] },
  { name: "DejaVu", regular: ["DejaVu Sans"], bold: ["DejaVu Sans Bold"], scale: [0.934, 0.845] },
];

function codes(range) {
  return range.split(",").flatMap((part) => {
    const [first = 0, last = first] = part
      .slice(2)
      .split("-")
      .map((hex) => Number.parseInt(hex, 16));
    return Array.from({ length: last - first + 1 }, (_, index) => first + index);
  });
}

function standins() {
  const percent = (share) => `${(100 * share).toFixed(2)}%`;
  return STANDINS.flatMap(({ name, regular, bold, scale }) =>
    [regular, bold].map((fonts, at) => {
      const size = scale[at] ?? 1;
      return `@font-face {
  font-family: "Inter as ${name}";
  font-weight: ${at ? "550 900" : "400 549"};
  src: ${fonts.map((font) => `local("${font}")`).join(", ")};
  unicode-range: ${RANGES.latin};
  size-adjust: ${percent(size)};
  ascent-override: ${percent(ASCENT / size)};
  descent-override: ${percent(DESCENT / size)};
  line-gap-override: 0%;
}`;
    }),
  ).join("\n");
}

function face(name) {
  return `@font-face {
  font-family: "Inter";
  font-weight: ${WEIGHTS.min} ${WEIGHTS.max};
  font-display: swap;
  src: url("./inter-${name}.woff2") format("woff2");
  unicode-range: ${RANGES[name]};
}`;
}

/** Return the path of the style sheet; generate it first if its inputs have changed. */
async function generated() {
  const hash = createHash("sha256");
  for (const file of [
    fileURLToPath(import.meta.url),
    new URL("package.json", PACKAGE),
    new URL("node_modules/subset-font/package.json", import.meta.url),
  ]) {
    hash.update(readFileSync(file));
  }
  const folder = new URL(`${hash.digest("hex").slice(0, 16)}/`, KEPT);
  const style = new URL("inter.css", folder);
  if (existsSync(style)) return fileURLToPath(style);
  mkdirSync(folder, { recursive: true });
  const names = Object.keys(RANGES);
  for (const name of names) {
    const whole = readFileSync(new URL(`files/inter-${name}-wght-normal.woff2`, PACKAGE));
    const letters = String.fromCodePoint(...codes(RANGES[name]));
    const part = await subsetFont(whole, letters, { targetFormat: "woff2", variationAxes: { wght: WEIGHTS } });
    writeFileSync(new URL(`inter-${name}.woff2`, folder), part);
  }
  // The style sheet is written last and atomically: if it exists, the fonts exist.
  const draft = new URL(`inter.${process.pid}.css`, folder);
  writeFileSync(draft, [standins(), ...names.map(face)].join("\n"));
  renameSync(draft, style);
  return fileURLToPath(style);
}

export function fonts() {
  return {
    name: "fonts",
    resolveId: (id) => (id === MODULE ? generated() : null),
    // The licence must be shipped with the font.
    generateBundle() {
      this.emitFile({ type: "asset", fileName: "licences/Inter.txt", source: readFileSync(new URL("LICENSE", PACKAGE)) });
    },
    transformIndexHtml: {
      order: "post",
      handler(_, { bundle }) {
        const name = Object.keys(bundle ?? {}).find((file) => FIRST.test(file));
        if (!name) return [];
        return [
          {
            tag: "link",
            attrs: { rel: "preload", href: `./${name}`, as: "font", type: "font/woff2", crossorigin: true },
            injectTo: "head",
          },
        ];
      },
    },
  };
}
