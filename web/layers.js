/** Which folder of src/ may import which. ESLint reports every other import (`eslint.config.js`). */
import { readdirSync } from "node:fs";

export const GENERATED = ["contract", "limits", "permissions"];
/**
 * By folder or file of src/, from the innermost to the outermost: which others it may import. The
 * files without an entry (the screens and main.ts) may import everything, and no layer may import
 * them. Import cycles between files are an error of the build (`vite.config.ts`).
 */
export const LAYERS = {
  net: [],
  state: GENERATED,
  sync: [...GENERATED, "state"],
  persistence: [...GENERATED, "net", "state", "sync"],
  ui: [...GENERATED, "net", "persistence"],
  "chat.svelte": [...GENERATED, "net", "state", "sync", "persistence"],
  features: [...GENERATED, "net", "state", "sync", "persistence", "ui", "chat.svelte"],
  shell: ["net"],
  element: [],
};

/**
 * The folders of src/features/: each may import those before it, so that no folders import each
 * other in a circle.
 */
export const FEATURES = [
  "connection",
  "markup",
  "people",
  "permissions",
  "presence",
  "sessions",
  "typing",
  "reactions",
  "rooms",
  "composer",
  "invites",
  "members",
  "unread",
  "unsent",
  "timeline",
  "actions",
  "messages",
  "pins",
  "search",
  "site",
  "webhooks",
  "keys",
  "accounts",
  "navigation",
  "room_screen",
];

const SOURCES = new URL("src/", import.meta.url);
const MODULES = readdirSync(SOURCES)
  .filter((name) => !/\.(css|svg)$/.test(name))
  .map((name) => name.replace(/\.ts$/, ""));

/** Return what is wrong with the list of folders, as sentences. */
export function troubles(listed, there) {
  return [
    ...there.filter((name) => !listed.includes(name)).map((name) => `src/features/${name} is not in FEATURES of layers.js.`),
    ...listed.filter((name) => !there.includes(name)).map((name) => `src/features/${name} of layers.js does not exist.`),
  ];
}

const folders = readdirSync(new URL("features", SOURCES), { withFileTypes: true }).filter((entry) => entry.isDirectory());
const found = troubles(
  FEATURES,
  folders.map(({ name }) => name),
);
if (found.length > 0) throw new Error(found.join("\n"));

/** Return a configuration that refuses imports from these paths: pairs of a pattern and a message. */
function refusing(files, patterns) {
  return {
    files,
    rules: {
      "no-restricted-imports": ["error", { patterns: patterns.map(({ regex, message }) => ({ regex, message })) }],
      "no-restricted-syntax": [
        "error",
        ...patterns.map(({ regex, message }) => ({
          selector: `ImportExpression > Literal[value=/${regex.replaceAll("/", "\\/")}/]`,
          message,
        })),
      ],
    },
  };
}

function outside(layer) {
  const allowed = LAYERS[layer];
  const isFile = MODULES.includes(layer) && layer.includes(".");
  const others = MODULES.filter((name) => name !== layer && !allowed.includes(name));
  return {
    regex: `^${isFile ? "\\./" : "(\\.\\./)+"}(${others.join("|").replaceAll(".", "\\.")})(/|$)`,
    message: `${layer} may import only ${allowed.join(", ") || "itself"} (LAYERS in layers.js).`,
  };
}

function after(folder) {
  const later = FEATURES.slice(FEATURES.indexOf(folder) + 1);
  return {
    regex: `^(\\.\\./)+(features/)?(${later.join("|")})/`,
    message: `features/${folder} may import only the folders before it (FEATURES in layers.js).`,
  };
}

export const layers = [
  ...Object.keys(LAYERS).map((layer) =>
    refusing([MODULES.includes(layer) && layer.includes(".") ? `src/${layer}.ts` : `src/${layer}/**`], [outside(layer)]),
  ),
  ...FEATURES.slice(0, -1).map((folder) => refusing([`src/features/${folder}/**`], [outside("features"), after(folder)])),
];
