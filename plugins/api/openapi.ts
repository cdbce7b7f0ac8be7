/**
 * The interface as a document for programs (OpenAPI 3.1): what routes said of themselves, and what holds for many of them.
 *
 * @module
 */

import { VERSION } from "../../core/command/version.ts";
import type { App } from "./app.ts";

type Document = ReturnType<App["getOpenAPI31Document"]>;
type Operation = NonNullable<NonNullable<Document["paths"]>[string]["get"]> & { "x-command"?: string };
type Parameter = NonNullable<Operation["parameters"]>[number];

/** What the command line does by an operation: `meridian …`. */
const COMMANDS: Readonly<Record<string, string>> = {
  "get /v1/nodes": "node list",
  "get /v1/nodes/{id}": "node show ID",
  "put /v1/nodes/{id}": "node add FILE",
  "patch /v1/nodes/{id}": "node set ID KEY=VALUE...",
  "delete /v1/nodes/{id}": "node remove ID",
  "get /v1/overrides": "override list",
  "post /v1/overrides": 'override add STATE KEY=NAME -for DURATION -reason "TEXT"',
  "delete /v1/overrides/{id}": "override end ID",
  "get /v1/overrides/{id}": "override show ID",
  "get /v1/demand": "demand list",
  "post /v1/demand": "demand import FILE",
  "put /v1/demand/current": "demand use NUMBER",
  "delete /v1/demand/current": "demand use none",
  "get /v1/demand/versions/{number}/networks": "demand export NUMBER",
  "delete /v1/demand/versions/{number}": "demand remove NUMBER",
  "get /v1/zones": "zone list",
  "post /v1/zones": "zone add ZONE NAME-SERVER...",
  "delete /v1/zones/{zone}": "zone remove ZONE",
  "get /v1/zones/{zone}/records": "record list ZONE",
  "put /v1/zones/{zone}/records/{name}/{type}": "record set ZONE NAME TYPE TTL RDATA...",
  "delete /v1/zones/{zone}/records/{name}/{type}": "record remove ZONE NAME TYPE",
  "get /v1/zones/{zone}/file": "record export ZONE",
  "put /v1/zones/{zone}/file": "record import ZONE FILE",
  "get /v1/tokens": "token list",
  "post /v1/tokens": 'token create -name "TEXT" -role ROLE',
  "delete /v1/tokens/{id}": "token revoke ID",
  "get /v1/secrets": "secret list",
  "post /v1/secrets/registry/rotate": "secret rotate",
  "post /v1/secrets/reseal": "secret reseal",
  "get /v1/approvals": "approval list",
  "get /v1/approvals/{id}": "approval show ID",
  "post /v1/approvals/{id}/approve": "approval approve ID",
  "post /v1/approvals/{id}/reject": 'approval reject ID -reason "TEXT"',
  "delete /v1/approvals/{id}": "approval withdraw ID",
  "post /v1/approvals/{id}/execute": "approval execute ID",
  "get /v1/audit": "audit list",
  "get /v1/audit/verification": "audit verify",
  "get /v1/audit/archive": "audit archive BEFORE FILE",
  "post /v1/audit/archive": "audit archive BEFORE FILE",
  "get /v1/configuration": "config status",
  "get /v1/configuration/versions": "config history",
  "post /v1/configuration/versions": "config propose FOLDER",
  "get /v1/configuration/diff": "config diff FROM TO",
  "post /v1/configuration/validate": "config validate FOLDER",
  "post /v1/configuration/apply": "config apply VERSION",
  "post /v1/configuration/rollback": "config rollback",
  "get /v1/status": "status",
  "get /v1/explain": "explain NAME TYPE",
  "get /v1/peers": "peers",
};

/** Fields of which all operations of people's that change something take account, whatever they change. */
const OF_CHANGES: readonly Parameter[] = [
  query("reason", "why, for the audit log"),
  header("Idempotency-Key", "one that is new for each change: sent again with it, the change is made once"),
  header("If-Match", "the `ETag` that it is to have still"),
  header("If-None-Match", "`*`: it is not to be there yet"),
];

/** Besides, of what moves traffic. */
const OF_TRAFFIC: readonly Parameter[] = [
  query("preview", "with any value: what it would do is told, and nothing is changed"),
  query("acknowledge", "pools that may be left with nobody, with commas between"),
];

const CHANGED = new Set(["demand", "nodes", "pools", "overrides", "zones", "records", "configuration"]);
/** What has a reason, and none of the conditions. */
const REASONED = new Set(["audit", "secrets"]);
const MOVING = new Set(["nodes", "pools", "overrides"]);

/** The document. */
export function documentOf(app: App): Document {
  const document = app.getOpenAPI31Document({
    openapi: "3.1.0",
    info: {
      title: "Meridian",
      version: VERSION,
      description: "Nodes, pools, overrides and records of a fleet, who changed them, and who may.",
    },
    security: [{ bearer: [] }],
  });
  for (const [path, operations] of Object.entries(document.paths ?? {})) {
    for (const [method, operation] of Object.entries(operations)) complete(operation, method, path);
  }
  return document;
}

function complete(operation: Operation, method: string, path: string): void {
  const key = `${method} ${path}`, [tag = ""] = operation.tags ?? [];
  operation.operationId = key.replaceAll(/[^A-Za-z0-9]+(\w)?/g, (_, letter = "") => letter.toUpperCase());
  if (Object.hasOwn(COMMANDS, key)) operation["x-command"] = `meridian ${COMMANDS[key]}`;
  if (method === "post" && REASONED.has(tag)) {
    operation.parameters = [...operation.parameters ?? [], OF_CHANGES[0]!];
  }
  if (method === "get" || !CHANGED.has(tag) || path.endsWith("/validate")) return;
  operation.parameters = [
    ...operation.parameters ?? [],
    ...OF_CHANGES,
    ...MOVING.has(tag) ? OF_TRAFFIC : [],
  ];
  if (method === "patch") operation.requestBody ??= PATCH;
}

const PATCH: NonNullable<Operation["requestBody"]> = {
  required: true,
  description: "what is to be other than it is; null takes away (RFC 7396)",
  content: { "application/json": { schema: { type: "object" } } },
};

function query(name: string, description: string): Parameter {
  return { name, in: "query", required: false, description, schema: { type: "string" } };
}

function header(name: string, description: string): Parameter {
  return { name, in: "header", required: false, description, schema: { type: "string" } };
}
