/**
 * Shows openapi.json, and lets its reader try what stands in it. Everything that is shown is text: nothing is ever read as
 * HTML. The token is in one input field, and nowhere else.
 */

const METHODS = ["get", "post", "put", "patch", "delete"];

/** So much of what a stream tells is shown. */
const SHOWN_MAX = 100_000;

const byId = (id) => document.getElementById(id);

/** An element with attributes and what is in it; text stays text. */
function h(name, attributes = {}, ...inside) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (value !== undefined && value !== false) element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...inside.flat(Infinity).filter((one) => one !== undefined && one !== false));
  return element;
}

/** Words with what stands between backticks as code. */
function prose(text) {
  return text.split("`").map((part, i) => i % 2 === 1 ? h("code", {}, part) : part);
}

/** What a `$ref` refers to; anything else is itself. */
function resolved(api, value) {
  if (typeof value?.$ref !== "string") return value ?? {};
  return value.$ref.slice(2).split("/").reduce((at, part) => at?.[part], api) ?? {};
}

/** A value that a schema would take, as its examples have it. */
function exampleOf(api, schema, depth = 0) {
  const one = resolved(api, schema);
  if (one.example !== undefined) return one.example;
  if (one.default !== undefined) return one.default;
  if (one.const !== undefined) return one.const;
  if (one.enum) return one.enum[0];
  const [first] = one.anyOf ?? one.oneOf ?? [];
  if (first) return exampleOf(api, first, depth);
  if (one.allOf) return Object.assign({}, ...one.allOf.map((part) => exampleOf(api, part, depth)));
  if (one.type === "array") return depth > 5 ? [] : [exampleOf(api, one.items, depth + 1)];
  if (one.type === "object") return depth > 5 ? {} : exampleObject(api, one, depth);
  if (one.format === "date-time") return new Date(Date.now() + 86_400_000).toISOString();
  return { string: "", number: 0, integer: 0, boolean: false }[one.type] ?? {};
}

/** What has to be there, and what has an example; never what only the server says. */
function exampleObject(api, { properties = {}, required = [] }, depth) {
  const shown = Object.entries(properties).filter(([name, property]) =>
    required.includes(name) && !resolved(api, property).readOnly
  );
  return Object.fromEntries(shown.map(([name, property]) => [name, exampleOf(api, property, depth + 1)]));
}

/** `array of Node`, `string (date-time)`. */
function typeText(api, schema) {
  const one = resolved(api, schema), name = schema?.$ref?.split("/").at(-1);
  if (name) return name;
  if (one.enum) return one.enum.map((value) => JSON.stringify(value)).join(" | ");
  if (one.const !== undefined) return JSON.stringify(one.const);
  const parts = one.anyOf ?? one.oneOf;
  if (parts) return parts.map((part) => typeText(api, part)).join(" | ");
  if (one.allOf) return one.allOf.map((part) => typeText(api, part)).join(" & ");
  if (one.type === "array") return `array of ${typeText(api, one.items)}`;
  const type = [one.type ?? "anything"].flat().join(" | ");
  return one.format ? `${type} (${one.format})` : type;
}

/** What holds for a value besides its type. */
function boundsText(one) {
  const words = {
    minimum: "at least",
    maximum: "at most",
    minLength: "characters, at least",
    maxLength: "characters, at most",
    minItems: "items, at least",
    maxItems: "items, at most",
    pattern: "like",
    default: "if not said",
  };
  return Object.entries(words).filter(([key]) =>
    // What any number is within says nothing.
    one[key] !== undefined && !(Math.abs(one[key]) > 1e300 || (one[key] !== 0 && Math.abs(one[key]) < 1e-300))
  ).map(([key, word]) => `${word} ${one[key]}`).join(", ");
}

/** The fields of a schema, those of its fields within. */
function schemaView(api, schema, seen = []) {
  const one = resolved(api, schema), name = schema?.$ref;
  if (name && seen.includes(name)) return h("p", { class: "quiet" }, `${typeText(api, schema)}, as above`);
  const within = name ? [...seen, name] : seen;
  const parts = one.anyOf ?? one.oneOf ?? one.allOf;
  if (parts) return parts.map((part) => schemaView(api, part, within));
  if (one.type === "array") return schemaView(api, one.items, within);
  const fields = Object.entries(one.properties ?? {});
  if (typeof one.additionalProperties === "object" && one.additionalProperties.type) {
    fields.push(["any name", one.additionalProperties]);
  }
  if (fields.length === 0) return [];
  return h(
    "dl",
    {},
    fields.map(([field, value]) => fieldView(api, field, value, one.required?.includes(field), within)),
  );
}

function fieldView(api, name, value, isRequired, seen) {
  const one = resolved(api, value), bounds = boundsText(one);
  return [
    h(
      "dt",
      {},
      h("code", {}, name),
      ` ${typeText(api, value)} `,
      isRequired && h("span", { class: "needed" }, "wanted"),
      one.readOnly && h("span", { class: "quiet" }, " the server says it"),
    ),
    h(
      "dd",
      {},
      one.description && h("p", {}, prose(one.description)),
      bounds && h("p", { class: "quiet" }, bounds),
      schemaView(api, value, seen),
    ),
  ];
}

/** Of each media type its name and its schema. */
function contentView(api, content = {}) {
  return Object.entries(content).map(([type, { schema }]) => [
    h("p", { class: "quiet" }, `${type}: ${typeText(api, schema)}`),
    schemaView(api, schema),
  ]);
}

function responsesView(api, responses) {
  return Object.entries(responses).map(([status, response]) => {
    const { description, content } = resolved(api, response);
    return h(
      "details",
      {},
      h("summary", {}, h("code", {}, status === "default" ? "else" : status), ` ${description}`),
      contentView(api, content),
    );
  });
}

/** Text for a shell, as one word. */
function quoted(text) {
  return /^[\w@%+=:,./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/** One operation: what it is, how it is done elsewhere, and fields with which to try it. */
class Operation {
  constructor(api, path, method, operation) {
    Object.assign(this, { api, path, method, operation });
    this.parameters = (operation.parameters ?? []).map((one) => resolved(api, one));
    const content = resolved(api, operation.requestBody).content ?? {};
    this.mediaType = Object.keys(content)[0];
    this.bodySchema = content[this.mediaType]?.schema;
    this.isOpen = operation.security?.length === 0;
    this.text = `${method} ${path} ${operation.summary} ${operation["x-command"] ?? ""} ${
      this.parameters.map(({ name }) => name).join(" ")
    }`.toLowerCase();
    this.element = h(
      "details",
      { class: "operation", id: operation.operationId, ontoggle: () => this.fill() },
      h(
        "summary",
        {},
        h("span", { class: `method ${method}` }, method.toUpperCase()),
        h("span", { class: "path" }, path),
        h("span", { class: "quiet" }, prose(operation.summary)),
      ),
    );
  }

  /** Made when it is first opened. */
  fill() {
    if (this.curl) return;
    const { api, operation } = this, command = operation["x-command"];
    this.inputs = new Map(this.parameters.map((one) => [one, this.inputFor(one)]));
    this.body = this.mediaType &&
      h("textarea", { rows: "8", spellcheck: "false", oninput: () => this.show() });
    if (this.body) {
      const example = this.bodySchema ? exampleOf(api, this.bodySchema) : {};
      this.body.value = typeof example === "string" ? example : JSON.stringify(example, null, 2);
    }
    this.curl = h("pre", { tabindex: "0" });
    this.reply = h("div", { "aria-live": "polite" });
    this.send = h("button", { type: "button", onclick: () => this.run() }, "Send");
    this.element.append(h(
      "div",
      { class: "inside" },
      operation.description && h("p", {}, prose(operation.description)),
      this.isOpen && h("p", { class: "quiet" }, "Without a token."),
      this.parameters.length > 0 && [h("h3", {}, "Parameters"), this.parametersView()],
      this.body && [h("h3", {}, "Body"), contentView(api, resolved(api, operation.requestBody).content)],
      [h("h3", {}, "Replies"), responsesView(api, operation.responses)],
      [h("h3", {}, "On a command line"), command && h("pre", { tabindex: "0" }, command), this.curl],
      h("h3", {}, "Try it"),
      h(
        "div",
        { class: "fields" },
        Array.from(this.inputs, ([one, input]) => h("label", {}, one.name, input)),
      ),
      this.body && h("label", {}, `Body, ${this.mediaType}`, this.body),
      h("div", { class: "row" }, this.send),
      this.reply,
    ));
    this.show();
  }

  parametersView() {
    return h(
      "dl",
      {},
      this.parameters.map((one) => {
        const value = { ...resolved(this.api, one.schema) };
        if (one.description) value.description = one.description;
        return fieldView(this.api, `${one.name} (${one.in})`, value, one.required, []);
      }),
    );
  }

  inputFor({ schema, in: place }) {
    const { enum: choices, example } = resolved(this.api, schema), oninput = () => this.show();
    if (choices) return h("select", { oninput }, ["", ...choices].map((one) => h("option", {}, one)));
    return h("input", {
      class: "code",
      oninput,
      spellcheck: "false",
      placeholder: example,
      "data-in": place,
    });
  }

  /** The request that the fields make. */
  request() {
    const query = new URLSearchParams(), headers = {};
    let path = this.path;
    for (const [{ name, in: place }, { value }] of this.inputs) {
      if (place === "path") path = path.replace(`{${name}}`, value ? encodeURIComponent(value) : `{${name}}`);
      else if (value && place === "query") query.set(name, value);
      else if (value && place === "header") headers[name] = value;
    }
    if (this.body) headers["Content-Type"] = this.mediaType;
    return { url: `${path}${query.size > 0 ? `?${query}` : ""}`, headers, body: this.body?.value };
  }

  show() {
    const { url, headers, body } = this.request();
    const words = [
      ...this.method === "get" ? [] : ["-X", this.method.toUpperCase()],
      ...this.isOpen ? [] : ["-H", '"Authorization: Bearer $MERIDIAN_TOKEN"'],
      ...Object.entries(headers).flatMap(([name, value]) => ["-H", quoted(`${name}: ${value}`)]),
      ...body === undefined ? [] : ["--data-binary", quoted(body)],
      quoted(`${location.origin}${url}`),
    ];
    this.curl.textContent = `curl ${words.join(" ")}`;
  }

  async run() {
    if (this.stop) return this.stop.abort();
    const { url, headers, body } = this.request(), missing = /\{(\w+)\}/.exec(url)?.[1];
    if (missing) return this.reply.replaceChildren(h("p", { class: "needed" }, `${missing} is wanted.`));
    const isChange = this.method !== "get" && !/[?&]preview=/.test(url);
    if (isChange && !confirm(`${this.method.toUpperCase()} ${url} changes the fleet. Send it?`)) return;
    const token = byId("token").value.trim();
    if (token && !this.isOpen) headers.Authorization = `Bearer ${token}`;
    this.stop = new AbortController();
    this.send.textContent = "Stop";
    try {
      const options = { method: this.method.toUpperCase(), headers, signal: this.stop.signal };
      await this.tell(
        await fetch(url, {
          ...options,
          ...body !== undefined && { body },
          credentials: "omit",
          redirect: "error",
        }),
      );
    } catch (error) {
      if (error.name !== "AbortError") {
        this.reply.replaceChildren(h("p", { class: "needed" }, `It was not answered: ${error.message}`));
      }
    } finally {
      this.stop = undefined;
      this.send.textContent = "Send";
    }
  }

  /** Shows an answer as it comes: events come one by one. */
  async tell(response) {
    const shown = h("pre", { tabindex: "0", class: "answer" });
    const fields = ["etag", "location", "retry-after", "x-request-id"].flatMap((name) => {
      const value = response.headers.get(name);
      return value === null ? [] : [`${name}: ${value}`];
    });
    this.reply.replaceChildren(
      h("h3", {}, `${response.status} ${response.statusText}`),
      h("p", { class: "quiet" }, fields.join(" · ")),
      shown,
    );
    const decoder = new TextDecoder();
    let text = "";
    for (const reader = response.body?.getReader(); reader;) {
      const { done, value } = await reader.read();
      if (done) break;
      text = (text + decoder.decode(value, { stream: true })).slice(-SHOWN_MAX);
      shown.textContent = text;
    }
    shown.textContent = pretty(text, response.headers.get("content-type") ?? "");
  }
}

function pretty(text, mediaType) {
  if (!/json/.test(mediaType)) return text;
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

/** Operations by the first of their tags, in the order of the document. */
function groupsOf(api) {
  const groups = new Map();
  for (const [path, item] of Object.entries(api.paths)) {
    for (const method of METHODS.filter((one) => item[one])) {
      const operation = item[method], tag = operation.tags?.[0] ?? "other";
      groups.set(tag, [...groups.get(tag) ?? [], new Operation(api, path, method, operation)]);
    }
  }
  return groups;
}

function showAll(api) {
  const groups = groupsOf(api), sections = [];
  byId("version").textContent = api.info.version;
  for (const [tag, operations] of groups) {
    const heading = h("h2", { id: `tag-${tag}` }, tag);
    sections.push({
      operations,
      element: h(
        "section",
        { "aria-labelledby": heading.id },
        heading,
        operations.map(({ element }) => element),
      ),
    });
    byId("tags").append(h("a", { href: `#tag-${tag}` }, tag));
  }
  byId("operations").append(...sections.map(({ element }) => element));
  byId("operations").setAttribute("aria-busy", "false");
  byId("find").addEventListener("input", (event) => find(sections, event.target.value));
  openNamed();
  addEventListener("hashchange", openNamed);
}

/** Leaves what has every word. */
function find(sections, text) {
  const words = text.toLowerCase().split(/\s+/).filter(Boolean);
  let count = 0;
  for (const { operations, element } of sections) {
    const found = operations.filter((one) => {
      one.element.hidden = !words.every((word) => one.text.includes(word));
      return !one.element.hidden;
    });
    element.hidden = found.length === 0;
    count += found.length;
  }
  byId("status").textContent = words.length === 0 ? "" : `${count} operations have that.`;
}

/** An operation has an address of its own. */
function openNamed() {
  const named = location.hash.length > 1 && byId(decodeURIComponent(location.hash.slice(1)));
  if (!named) return;
  if (named.matches("details")) named.open = true;
  named.scrollIntoView();
}

try {
  const response = await fetch("/v1/openapi.json", { credentials: "omit" });
  if (!response.ok) throw new Error(`status ${response.status}`);
  showAll(await response.json());
} catch (error) {
  byId("operations").setAttribute("aria-busy", "false");
  byId("status").textContent = `openapi.json could not be read: ${error.message}`;
}
