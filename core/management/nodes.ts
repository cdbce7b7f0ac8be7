/**
 * Nodes as the store and the interface have them: with the words of nodes.yaml, where they came from, and the key by which
 * one that registered itself is known again.
 *
 * @module
 */

import { z } from "@hono/zod-openapi";
import { formatAddress, parseAddress } from "../net/address.ts";
import type { Node } from "../fleet/node.ts";
import { isNodeId, NODE_ID } from "../fleet/node_id.ts";
import { unreachableBlock } from "../fleet/nodes_file.ts";
import { KEYS, PREFIXES } from "../state/keys.ts";
import type { FieldProblem } from "./problem.ts";
import type { ResourceKind } from "./resource.ts";
import { instant, instantMs, numberFrom, oneOf, pointerTo, text, wanted } from "./schema.ts";

const ID = wanted(NODE_ID);

const SHAPE = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/;

/** A node's id. */
export const nodeId = z.string(ID).regex(SHAPE, ID)
  .refine((id) => isNodeId(id) || !SHAPE.test(id), wanted("a name that no object of a program has by itself"))
  .openapi({ example: "fra1" });

/** Where a node stands. */
export const placeSchema = z.strictObject({
  latitude: numberFrom("degrees from -90 to 90", -90, 90).openapi({ example: 50.11 }),
  longitude: numberFrom("degrees from -180 to 180", -180, 180).openapi({ example: 8.68 }),
  country: z.string().regex(/^[A-Z]{2}$/, wanted("an ISO 3166-1 code of two capital letters, such as DE"))
    .optional().openapi({ example: "DE" }),
  subdivision: z.string().max(64).optional().openapi({ example: "HE" }),
}, wanted("a place, with latitude and longitude")).openapi("Place");

/** Labels, of a node or that a node must have. */
export const labelsSchema = z.record(
  text("a label's name", 63),
  z.string(wanted("text")).max(255),
  wanted("labels, such as role: entry"),
).openapi({ example: { role: "entry" } });

const ADDRESS = wanted("an IP address such as 192.0.2.1");
const address = z.string(ADDRESS).refine((value) => parseAddress(value) !== undefined, ADDRESS);

const windowSchema = z.strictObject({
  from: instant,
  until: instant,
  reason: z.string().max(1000).optional().openapi({ example: "kernel" }),
}).openapi("MaintenanceWindow");

/** A node. */
export const nodeSchema = z.strictObject({
  id: nodeId,
  addresses: z.array(address, wanted("a list of addresses"))
    .min(1, wanted("an address, or one of each family"))
    .openapi({ example: ["192.0.2.1", "2001:db8::1"] }),
  location: placeSchema,
  region: z.string().max(64).optional().openapi({ example: "eu-central" }),
  capacity: numberFrom("a number, at least 0", 0, Number.MAX_VALUE).optional().openapi({ example: 1000 }),
  weight: numberFrom("a number above 0", Number.MIN_VALUE, Number.MAX_VALUE).optional().openapi({
    example: 1,
  }),
  labels: labelsSchema.optional(),
  overlay: z.array(address, wanted("a list of addresses")).max(16).optional(),
  state: oneOf(["up", "drain", "down"]).optional(),
  maintenance: z.array(windowSchema, wanted("a list of windows")).max(100).optional(),
  origin: oneOf(["static", "registry", "api", "formation"]).optional()
    .openapi({
      description: "nodes.yaml, the node itself, this interface, or a Formation network",
      readOnly: true,
    }),
  publicKey: z.string().optional().openapi({ description: "Ed25519, base64", readOnly: true }),
  token: z.string().optional()
    .openapi({ description: "the id of the join token it registered with", readOnly: true }),
}).openapi("Node");

/** A node as JSON has it. */
export type NodeValue = z.output<typeof nodeSchema>;

/** What nodes are, for {@linkcode Resources}. `fixed`: those of node lists. */
export function nodeKind(fixed: () => readonly NodeValue[] = () => []): ResourceKind<typeof nodeSchema> {
  return {
    ...{
      name: "nodes",
      singular: "node",
      schema: nodeSchema,
      prefix: PREFIXES.nodes,
      key: KEYS.node,
      id: "id",
    },
    readOnly: ["origin", "publicKey", "token"],
    complete: (value) => ({ ...value, origin: "api" }),
    check: nodeProblems,
    // Else one that is made by the same id would have its lease.
    alsoRemove: (id) => [KEYS.registration(id)],
    filters: {
      region: ({ region }, wanted) => region === wanted,
      origin: ({ origin }, wanted) => origin === wanted,
      state: ({ state }, wanted) => (state ?? "up") === wanted,
      label: ({ labels }, wanted) => {
        const [name, value] = wanted.split("=", 2);
        return value === undefined ? labels?.[name!] !== undefined : labels?.[name!] === value;
      },
    },
    fixed: () => ({ values: fixed(), where: "a node list" }),
  };
}

/** What of a node no schema can say. */
export function nodeProblems({ addresses, maintenance = [] }: NodeValue): FieldProblem[] {
  const problems = addresses.flatMap((text, i) => addressProblems(text, i, addresses));
  maintenance.forEach(({ from, until }, i) => {
    if (instantMs(until) > instantMs(from)) return;
    problems.push({
      pointer: pointerTo("maintenance", i, "until"),
      detail: "wanted an instant later than from",
    });
  });
  return problems;
}

function addressProblems(text: string, index: number, all: readonly string[]): FieldProblem[] {
  const pointer = pointerTo("addresses", index), { family } = parseAddress(text)!;
  const block = unreachableBlock(text);
  if (block) return [{ pointer, detail: `wanted an address that clients can reach: ${text} is ${block}` }];
  const first = all.findIndex((other) => parseAddress(other)!.family === family);
  if (first === index) return [];
  return [{ pointer, detail: `wanted one address of a family: ${text} stands beside ${all[first]}` }];
}

/** The node that core/fleet knows, of one that the schema has taken. */
export function nodeOf(value: NodeValue): Node {
  const addresses: { ipv4?: string; ipv6?: string } = {};
  for (const text of value.addresses) {
    const address = parseAddress(text)!;
    addresses[address.family === 4 ? "ipv4" : "ipv6"] ??= formatAddress(address);
  }
  const { latitude, longitude, country = "", subdivision = "" } = value.location;
  return {
    id: value.id,
    ...addresses,
    place: { latitude, longitude, country, subdivision },
    region: value.region ?? "",
    capacity: value.capacity ?? 0,
    weight: value.weight ?? 1,
    labels: value.labels ?? {},
    overlay: (value.overlay ?? []).map((text) => formatAddress(parseAddress(text)!)),
    state: value.state ?? "up",
    maintenance: (value.maintenance ?? []).map(({ from, until, reason = "" }) => {
      return { fromMs: instantMs(from), untilMs: instantMs(until), reason };
    }),
  };
}

/** A node of core/fleet as JSON has it: of a node list, say. */
export function nodeValueOf(node: Node, origin: NonNullable<NodeValue["origin"]>): NodeValue {
  const { id, ipv4, ipv6, place, region, capacity, weight, labels, overlay, state, maintenance } = node;
  const { latitude, longitude, country, subdivision } = place;
  return {
    id,
    addresses: [ipv4, ipv6].filter((address) => address !== undefined),
    location: { latitude, longitude, ...country && { country }, ...subdivision && { subdivision } },
    ...region && { region },
    ...capacity > 0 && { capacity },
    ...{ weight, labels: { ...labels }, overlay: [...overlay], state, origin },
    maintenance: maintenance.map(({ fromMs, untilMs, reason }) => {
      return { from: isoOf(fromMs), until: isoOf(untilMs), reason };
    }),
  };
}

function isoOf(ms: number): string {
  return new Date(ms).toISOString();
}
