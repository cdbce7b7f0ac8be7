import assert from "node:assert/strict";
import { allCommands } from "../../../core/command/mod.ts";
import { ApiStage } from "./stage.ts";

const METHODS = ["get", "post", "put", "patch", "delete"];

/** Where the page's own files are, and what leads there: for browsers alone. */
const UNTOLD = ["GET /", "GET /v1/docs/page.css", "GET /v1/docs/page.js"];

interface Told {
  readonly where: string;
  readonly path: string;
  readonly operation: any;
}

async function read(): Promise<{ document: any; operations: Told[]; routes: string[] }> {
  await using stage = await ApiStage.open();
  const { body: document } = await stage.ask(undefined, "GET", "/v1/openapi.json");
  const operations = Object.entries<any>(document.paths).flatMap(([path, item]) =>
    METHODS.filter((method) => item[method]).map((method) => ({
      ...{ where: `${method.toUpperCase()} ${path}`, path, operation: item[method] },
    }))
  );
  const routes = stage.app.routes.filter(({ method }) => method !== "ALL").map(({ method, path }) =>
    `${method} ${path.replaceAll(/:(\w+)/g, "{$1}")}`
  );
  return { document, operations, routes };
}

Deno.test("every route stands in openapi.json, and nothing that is no route", async () => {
  const { operations, routes } = await read();
  const wanted = routes.filter((route) => !UNTOLD.includes(route));
  assert.deepEqual(operations.map(({ where }) => where).toSorted(), wanted.toSorted());
});

Deno.test("openapi.json is a document of OpenAPI 3.1", async () => {
  const { document, operations } = await read();
  assert.match(document.openapi, /^3\.1\.\d+$/);
  assert.ok(document.info.title && document.info.version, "info wants title and version");
  const ids = operations.map(({ operation }) => operation.operationId);
  assert.equal(new Set(ids).size, ids.length, "two operations have one id");
  const schemes = Object.keys(document.components.securitySchemes);
  for (const { where, path, operation } of operations) {
    assert.ok(operation.summary && operation.tags.length === 1, `${where} wants summary and tag`);
    for (const one of operation.security ?? document.security) {
      for (const name of Object.keys(one)) assert.ok(schemes.includes(name), `${where}: no scheme ${name}`);
    }
    checkParameters(where, path, operation.parameters ?? []);
    checkContent(document, where, operation.requestBody?.content ?? {});
    const statuses = Object.keys(operation.responses);
    assert.ok(statuses.some((status) => /^2\d\d$/.test(status)), `${where} never succeeds`);
    assert.ok(statuses.every((status) => /^([1-5]\d\d|default)$/.test(status)), `${where}: ${statuses}`);
    for (const { description, content = {} } of Object.values<any>(operation.responses)) {
      assert.equal(typeof description, "string", `${where}: a response wants a description`);
      checkContent(document, where, content);
    }
  }
  for (const [name, schema] of Object.entries(document.components.schemas)) {
    checkSchema(document, name, schema);
  }
});

Deno.test("what changes something says what it takes, and what asks who one is says how", async () => {
  const { operations } = await read();
  for (const { where, operation } of operations) {
    const takes = operation.requestBody !== undefined, isBodiless = /rollback|execute|reseal/.test(where);
    if (/^(POST|PUT|PATCH)/.test(where)) assert.equal(takes, !isBodiless, where);
    else assert.equal(takes, false, where);
  }
  const open = operations.filter(({ operation }) => operation.security?.length === 0).map(({ where }) =>
    where
  );
  assert.deepEqual(open.toSorted(), [
    ...["GET /healthz", "GET /v1/docs", "GET /v1/openapi.json"],
    ...["POST /v1/registrations", "POST /v1/registrations/challenge"],
  ]);
});

Deno.test("openapi.json names no command and no verb that there is not", async () => {
  const { operations } = await read(), commands = await allCommands();
  for (const { where, operation: { "x-command": text } } of operations) {
    if (text === undefined) continue;
    const [, name, verb] = /^meridian (\w+)(?: ([a-z]\w+))?/.exec(text)!, command = commands[name!];
    assert.ok(command, `${where}: ${text}`);
    const verbs = command.words?.[0];
    if (verb !== undefined) {
      assert.ok(Array.isArray(verbs) && verbs.includes(verb), `${where}: ${text}`);
    }
  }
});

Deno.test("a page of another site changes nothing, whoever's browser shows it", async () => {
  await using stage = await ApiStage.open();
  const local = {
    address: "127.0.0.1",
    actor: { id: "certificate:ada", way: "certificate", grants: [{ role: "admin" }] },
  };
  for (const site of ["cross-site", "same-site"]) {
    const sent = await stage.ask(local as any, "DELETE", "/v1/nodes/none", undefined, {
      "Sec-Fetch-Site": site,
    });
    assert.equal(sent.status, 403, site);
  }
  const own = await stage.ask(local as any, "DELETE", "/v1/nodes/none", undefined, {
    "Sec-Fetch-Site": "same-origin",
  });
  assert.equal(own.status, 404);
});

/** Each of the path once, and none beside (OpenAPI 3.1.0 section 4.8.12). */
function checkParameters(where: string, path: string, parameters: readonly any[]): void {
  const names = parameters.map((one) => `${one.in} ${one.name}`);
  assert.equal(new Set(names).size, names.length, `${where}: a parameter stands twice: ${names}`);
  const inPath = Array.from(path.matchAll(/\{(\w+)\}/g), ([, name]) => `path ${name}`);
  assert.deepEqual(names.filter((name) => name.startsWith("path ")).toSorted(), inPath.toSorted(), where);
  for (const one of parameters) {
    assert.ok(["path", "query", "header", "cookie"].includes(one.in) && one.schema, `${where}: ${one.name}`);
    assert.ok(one.in !== "path" || one.required === true, `${where}: ${one.name} is always wanted`);
  }
}

function checkContent(document: any, where: string, content: Readonly<Record<string, any>>): void {
  for (const [type, { schema }] of Object.entries(content)) {
    assert.match(type, /^[\w.+-]+\/[\w.+-]+$/, where);
    checkSchema(document, `${where} ${type}`, schema);
  }
}

const TYPES = ["string", "number", "integer", "boolean", "object", "array", "null"];

/** As JSON Schema 2020-12 has it, and not as OpenAPI 3.0 did. */
function checkSchema(document: any, where: string, schema: any): void {
  if (schema.$ref !== undefined) {
    const name = /^#\/components\/schemas\/(\w+)$/.exec(schema.$ref)?.[1];
    return assert.ok(name && document.components.schemas[name], `${where}: ${schema.$ref} is nowhere`);
  }
  for (const type of [schema.type ?? []].flat()) assert.ok(TYPES.includes(type), `${where}: ${type}`);
  assert.equal(schema.nullable, undefined, `${where}: nullable is of OpenAPI 3.0`);
  for (const key of ["exclusiveMinimum", "exclusiveMaximum"]) {
    assert.ok(["undefined", "number"].includes(typeof schema[key]), `${where}: ${key}`);
  }
  if (schema.pattern !== undefined) new RegExp(schema.pattern);
  for (const [name, one] of Object.entries(schema.properties ?? {})) {
    checkSchema(document, `${where}.${name}`, one);
  }
  for (const name of schema.required ?? []) assert.ok(schema.properties?.[name], `${where}: no ${name}`);
  const parts = [schema.items ?? [], schema.anyOf ?? [], schema.oneOf ?? [], schema.allOf ?? []].flat();
  for (const one of parts) checkSchema(document, where, one);
  if (typeof schema.additionalProperties === "object") {
    checkSchema(document, where, schema.additionalProperties);
  }
}
