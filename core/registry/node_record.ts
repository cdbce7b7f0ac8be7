/**
 * What the store has of a node that registers itself: `nodes/ID`, which operators may change as well, and
 * `registrations/ID`, which is the registry's alone.
 *
 * @module
 */

import { Problems } from "../corefile/directive.ts";
import type { Node } from "../fleet/node.ts";
import { readNodes } from "../fleet/nodes_file.ts";
import type { Json } from "../state/canonical.ts";
import { fingerprint } from "./keys.ts";
import { type NodeDocument, RegistryProblem } from "./protocol.ts";

/** The value of `nodes/ID`: an entry of nodes.yaml, and how it came to be. Whatever else stands in it is kept. */
export interface NodeRecord extends NodeDocument {
  readonly state?: "up" | "drain" | "down";
  readonly maintenance?: readonly object[];
  /** `registry`: it registered itself. Others were put there by people. */
  readonly origin?: string;
  /** The public key that the id belongs to: 32 octets, base64. */
  readonly publicKey?: string;
  /** The join token that it came by, by its id. */
  readonly token?: string;
}

/** The value of `registrations/ID`. */
export interface RegistrationRecord {
  /** When it registered, came back, or changed last, by the clock of `server`. */
  readonly registeredMs: number;
  readonly server: string;
  /** How long it may be silent after that, milliseconds; absent = 30 s. */
  readonly leaseMs?: number;
  /** The digest of what it said of itself: where it says the same again, what operators changed since stands. */
  readonly said: string;
  /** When it said that it leaves, by the clock of the server that it told; absent = it has not. */
  readonly leftMs?: number;
  /** What about its place cannot be true. */
  readonly flags?: readonly string[];
}

/** What a node may say of itself. */
const OWN_KEYS = ["addresses", "capacity", "id", "labels", "location", "overlay", "region", "weight"];

/** What only an operator says. */
const OPERATORS_KEYS = ["maintenance", "state"];

/** The most octets that a node's description may have, and how deep it may go. */
const OCTETS_MAX = 8192, DEPTH_MAX = 4;

/**
 * A node's description of itself, if it is one.
 *
 * @throws {RegistryProblem} Everything that is wrong with it, in the words that a node list would get.
 */
export function readDocument(value: unknown): NodeDocument {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new RegistryProblem("invalid", `node must be an object: got ${JSON.stringify(value)}`, "/node");
  }
  for (const key of Object.keys(value)) {
    if (!OPERATORS_KEYS.includes(key)) continue;
    throw new RegistryProblem(
      "invalid",
      `${key} is for the operator to say, not for the node`,
      `/node/${key}`,
    );
  }
  if (depthOf(value) > DEPTH_MAX) {
    throw new RegistryProblem("invalid", `node must not be nested deeper than ${DEPTH_MAX}`, "/node");
  }
  const text = JSON.stringify(value);
  if (text.length > OCTETS_MAX) {
    throw new RegistryProblem(
      "invalid",
      `node must have at most ${OCTETS_MAX} octets: got ${text.length}`,
      "/node",
    );
  }
  nodeFrom(value);
  checkLengths(value as NodeDocument);
  return value as NodeDocument;
}

/** The longest texts and lists that the management interface takes, so that it can show and change what is here. */
function checkLengths({ labels = {}, region = "", location, overlay = [] }: NodeDocument): void {
  const tooLong = (field: string, wanted: string) =>
    new RegistryProblem("invalid", `${field} must be ${wanted} at most`, `/node/${field}`);
  for (const [name, value] of Object.entries(labels)) {
    if (name === "") throw new RegistryProblem("invalid", "a label must have a name", "/node/labels");
    if (name.length > 63 || value.length > 255) {
      throw tooLong("labels", "of names of 63 and values of 255 characters");
    }
  }
  if (region.length > 64) throw tooLong("region", "64 characters");
  if ((location.subdivision ?? "").length > 64) {
    throw tooLong("location", "of a subdivision of 64 characters");
  }
  if (overlay.length > 16) throw tooLong("overlay", "16 addresses");
}

/** The node that a record describes. @throws {RegistryProblem} It describes none. */
export function nodeOf(record: NodeRecord): Node {
  return nodeFrom(Object.fromEntries(
    Object.entries(record).filter(([key]) => OWN_KEYS.includes(key) || OPERATORS_KEYS.includes(key)),
  ));
}

/** A node list reads it: there is one law for what a node may be. JSON is YAML. */
function nodeFrom(description: object): Node {
  const problems = new Problems();
  const [node] = readNodes(JSON.stringify({ nodes: [description] }), "node", problems);
  if (problems.errors.length === 0 && node) return node;
  const all = problems.errors.map(({ message }) => message).join("; ");
  const key = [...OWN_KEYS, ...OPERATORS_KEYS].find((key) => all.startsWith(`${key} `));
  throw new RegistryProblem("invalid", all || "node is none", key ? `/node/${key}` : "/node");
}

/** The node in an entry of the store. */
export function readRecord(id: string, { value }: { readonly value: string }): NodeRecord {
  return { ...JSON.parse(value) as NodeRecord, id };
}

/**
 * Whether a record is of a node that speaks for itself, and so has a lease: one that an operator made has neither key nor
 * token until it registers.
 */
export function hasLease({ value }: { readonly value: string }): boolean {
  const { origin, publicKey, token } = JSON.parse(value) as Partial<NodeRecord>;
  return origin === "registry" || origin === "formation" || publicKey !== undefined || token !== undefined;
}

/** The registration in an entry of the store. */
export function readRegistration({ value }: { readonly value: string }): RegistrationRecord {
  return JSON.parse(value) as RegistrationRecord;
}

/** What the audit log tells of a record: no key in full, which would be of use to nobody there. */
export function auditedRecord({ publicKey, ...record }: NodeRecord): Json {
  return {
    ...record,
    ...publicKey !== undefined && { publicKey: fingerprint(publicKey) },
  } as unknown as Json;
}

function depthOf(value: unknown): number {
  if (typeof value !== "object" || value === null) return 0;
  let level: unknown[] = [value], depth = 0;
  for (; level.length > 0 && depth <= DEPTH_MAX; depth++) {
    level = level.flatMap((one) => Object.values(one as object)).filter((one) =>
      typeof one === "object" && one !== null
    );
  }
  return depth;
}
