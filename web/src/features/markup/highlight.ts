/**
 * Colour code with highlight.js through lowlight, which yields a tree, never HTML. A separate
 * chunk, see `colours.ts`.
 */
import bash from "highlight.js/lib/languages/bash";
import c from "highlight.js/lib/languages/c";
import cpp from "highlight.js/lib/languages/cpp";
import css from "highlight.js/lib/languages/css";
import diff from "highlight.js/lib/languages/diff";
import go from "highlight.js/lib/languages/go";
import ini from "highlight.js/lib/languages/ini";
import java from "highlight.js/lib/languages/java";
import javascript from "highlight.js/lib/languages/javascript";
import json from "highlight.js/lib/languages/json";
import python from "highlight.js/lib/languages/python";
import rust from "highlight.js/lib/languages/rust";
import sql from "highlight.js/lib/languages/sql";
import typescript from "highlight.js/lib/languages/typescript";
import xml from "highlight.js/lib/languages/xml";
import yaml from "highlight.js/lib/languages/yaml";
import { createLowlight } from "lowlight";

export interface Piece {
  readonly text: string;
  readonly look?: Look;
}
type Look = "comment" | "keyword" | "string" | "number" | "name" | "added" | "removed";

const lowlight = createLowlight({ bash, c, cpp, css, diff, go, ini, java, javascript, json, python, rust, sql, typescript, xml, yaml });

/** Maps scopes of highlight.js to looks; other scopes look like plain code. */
const LOOKS: Readonly<Record<string, Look>> = {
  addition: "added",
  deletion: "removed",
  attr: "name",
  attribute: "name",
  "selector-class": "name",
  "selector-id": "name",
  section: "name",
  title: "name",
  type: "name",
  built_in: "name",
  comment: "comment",
  quote: "comment",
  meta: "comment",
  doctag: "comment",
  keyword: "keyword",
  literal: "number",
  number: "number",
  "selector-tag": "keyword",
  name: "keyword",
  bullet: "keyword",
  regexp: "string",
  string: "string",
  char: "string",
  symbol: "number",
  link: "string",
  "template-tag": "keyword",
};

type Node = ReturnType<typeof lowlight.highlight>["children"][number];

export function highlight(grammar: string, text: string): readonly Piece[] {
  const pieces: Piece[] = [];
  const walk = (nodes: readonly Node[], look: Look | undefined): void => {
    for (const node of nodes) {
      if (node.type === "text") pieces.push(look ? { text: node.value, look } : { text: node.value });
      else if (node.type === "element") walk(node.children, lookOf(node.properties.className) ?? look);
    }
  };
  walk(lowlight.highlight(grammar, text).children, undefined);
  return pieces;
}

function lookOf(classes: unknown): Look | undefined {
  const first: unknown = Array.isArray(classes) ? classes[0] : undefined;
  return typeof first === "string" ? LOOKS[first.replace("hljs-", "")] : undefined;
}
