import assert from "node:assert/strict";
import { OpenAPIHono } from "@hono/zod-openapi";
import { proposalSchema } from "../../../core/management/configuration.ts";
import { demandSchema } from "../../../core/management/demand.ts";
import { nodeSchema } from "../../../core/management/nodes.ts";
import { overrideSchema } from "../../../core/management/overrides.ts";
import { poolSchema } from "../../../core/management/pools.ts";
import { problemOf, problemSchema } from "../../../core/management/problem.ts";
import { toApplySchema } from "../../../core/management/rollout.ts";
import { rrsetSchema } from "../../../core/management/rrset.ts";
import { serverSchema } from "../../../core/management/servers.ts";
import { newZoneSchema, zoneSchema } from "../../../core/management/zones.ts";
import { StoreRefusedError, StoreUnavailableError } from "../../../core/state/store.ts";

Deno.test("every schema has its place in a description of the interface (OpenAPI 3.1)", () => {
  const app = new OpenAPIHono();
  const schemas = {
    ...{ Node: nodeSchema, Override: overrideSchema, Pool: poolSchema, RRset: rrsetSchema, Zone: zoneSchema },
    ...{ NewZone: newZoneSchema, Server: serverSchema, Demand: demandSchema, Problem: problemSchema },
    ...{ ConfigurationProposal: proposalSchema, ConfigurationApply: toApplySchema },
  };
  for (const [name, schema] of Object.entries(schemas)) {
    app.openAPIRegistry.registerPath({
      ...{ method: "put", path: `/${name}` },
      request: { body: { content: { "application/json": { schema } } } },
      responses: { 200: { description: "done", content: { "application/json": { schema } } } },
    });
  }
  const { components } = app.getOpenAPI31Document({ openapi: "3.1.0", info: { title: "t", version: "1" } });
  const described = components!.schemas! as Record<string, any>;
  for (const name of Object.keys(schemas)) assert.ok(described[name], name);
  const { Node, Override } = described;
  assert.deepEqual(Node.required, ["id", "addresses", "location"]);
  assert.equal(Node.additionalProperties, false);
  assert.equal(Node.properties.location.$ref, "#/components/schemas/Place");
  assert.deepEqual([
    described["Place"].properties.latitude.minimum,
    described["Place"].properties.latitude.maximum,
  ], [-90, 90]);
  assert.deepEqual(Override.required, ["target", "until", "reason"]);
});

Deno.test("an error of the store is a problem that tells whether to ask again; one of ours is none", () => {
  assert.equal(problemOf(new StoreUnavailableError("gone"))!.status, 503);
  assert.equal(problemOf(new StoreRefusedError("no"))!.status, 500);
  assert.equal(problemOf(new TypeError("oops")), undefined);
});
