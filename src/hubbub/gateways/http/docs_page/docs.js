// Shows openapi.json with forms to try each endpoint. Builds nodes, never markup, so that text cannot become code.
"use strict";

const main = document.getElementById("api");
let token = "";

function node(name, properties, ...children) {
  const made = Object.assign(document.createElement(name), properties);
  made.append(...children.filter((child) => child !== null));
  return made;
}

const resolve = (api, schema) =>
  schema && schema.$ref ? schema.$ref.split("/").slice(1).reduce((at, part) => at[part], api) : schema;

/** Returns an example of a schema: enough to see the shape. */
function example(api, given, depth = 0) {
  const schema = resolve(api, given) ?? {};
  if (depth > 6) return null;
  if ("default" in schema) return schema.default;
  if ("const" in schema) return schema.const;
  if (schema.enum) return schema.enum[0];
  const choice = schema.anyOf ?? schema.oneOf ?? schema.allOf;
  if (choice) return example(api, choice[0], depth + 1);
  switch (schema.type) {
    case "object":
      return Object.fromEntries(
        Object.entries(schema.properties ?? {}).map(([name, inner]) => [name, example(api, inner, depth + 1)]),
      );
    case "array":
      return [example(api, schema.items, depth + 1)];
    case "integer":
    case "number":
      return schema.minimum ?? 0;
    case "boolean":
      return false;
    default:
      return schema.type === "null" ? null : "string";
  }
}

function answers(api, operation) {
  const rows = Object.entries(operation.responses ?? {}).map(([status, response]) => {
    const [type, content] = Object.entries(response.content ?? {})[0] ?? ["", null];
    const shape = content && status.startsWith("2") ? JSON.stringify(example(api, content.schema), null, 2) : "";
    return node("tr", {}, node("th", { textContent: status }),
      node("td", {}, `${response.description ?? ""} `, node("code", { textContent: type }),
        shape ? node("pre", { textContent: shape }) : null));
  });
  return node("table", {}, ...rows);
}

function field(label, value = "") {
  const input = node("input", { value });
  return { input, label: node("label", { textContent: label }, input) };
}

/** A form that sends the request with the visitor's cookie, or with a token entered at the top of the page. */
function attempt(api, path, method, operation) {
  const fields = (operation.parameters ?? []).filter((parameter) => parameter.in === "path" || parameter.in === "query")
    .map((parameter) => ({
      ...parameter,
      ...field(`${parameter.name} (${parameter.in}${parameter.required ? ", required" : ""})`),
    }));
  const [type, content] = Object.entries(operation.requestBody?.content ?? {})[0] ?? [null, null];
  const shape = content ? (content.example ?? example(api, content.schema)) : null;
  const text = type?.endsWith("json") ? JSON.stringify(shape, null, 2) : new URLSearchParams(shape ?? {}).toString();
  const body = content ? node("textarea", { value: text }) : null;
  const result = node("pre", { hidden: true });
  const form = node("form", {}, ...fields.map((parameter) => parameter.label),
    body ? node("label", { textContent: type }, body) : null, node("button", { textContent: "Try it" }), result);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    result.hidden = false;
    result.textContent = await send(path, method, fields, type, body?.value);
  });
  return form;
}

async function send(path, method, fields, type, body) {
  let target = path.slice(1);
  const query = new URLSearchParams();
  for (const { name, in: location, input } of fields) {
    if (location === "path") target = target.replace(`{${name}}`, encodeURIComponent(input.value));
    else if (input.value) query.set(name, input.value);
  }
  const headers = { ...(type ? { "Content-Type": type } : {}), ...(token ? { Authorization: `Bearer ${token}` } : {}) };
  try {
    const answer = await fetch(`${target || "./"}${query.size ? `?${query}` : ""}`, { method, headers, body });
    return `${answer.status} ${answer.statusText}\n${await answer.text()}`;
  } catch (error) {
    return String(error);
  }
}

function show(api) {
  document.title = `${api.info.title} API`;
  const access = field("Access token (from POST /token). Leave empty to use the cookie of your log-in.");
  access.input.type = "password";
  access.input.autocomplete = "off";
  access.input.addEventListener("input", () => (token = access.input.value.trim()));
  access.input.addEventListener("keydown", (event) => event.key === "Enter" && event.preventDefault());
  const groups = new Map();
  for (const [path, methods] of Object.entries(api.paths))
    for (const [method, operation] of Object.entries(methods)) {
      const group = operation.tags?.[0] ?? "other";
      if (!groups.has(group)) groups.set(group, []);
      groups.get(group).push(node("details", {},
        node("summary", {}, node("span", { className: "method", textContent: method.toUpperCase() }),
          node("code", { textContent: path }), node("span", { className: "what", textContent: operation.summary ?? "" })),
        node("div", {}, node("p", { textContent: operation.description ?? "" }),
          attempt(api, path, method.toUpperCase(), operation), node("h4", { textContent: "Responses" }),
          answers(api, operation))));
    }
  main.replaceChildren(node("h1", { textContent: `${api.info.title} API ${api.info.version}` }),
    ...(api.info.description ?? "").split("\n\n").map((text) => node("p", { textContent: text })),
    node("p", {}, node("a", { href: "openapi.json", textContent: "openapi.json" })), node("form", {}, access.label),
    ...[...groups].flatMap(([name, operations]) => [node("h2", { textContent: name }), ...operations]));
}

fetch("openapi.json").then((answer) => answer.json()).then(show, (error) => main.replaceChildren(String(error)));
