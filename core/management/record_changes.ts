/**
 * Changes of RRsets as requests have them, read: with everything in them that is not right, at once.
 *
 * @module
 */

import { z } from "@hono/zod-openapi";
import { fold, type Name, parseName } from "../dns/name.ts";
import { WRITES_MAX } from "../state/store.ts";
import { ProblemError } from "./problem.ts";
import { Faults, readOwner, readRdata, type ReadRRset, readType, rrsetSchema } from "./rrset.ts";
import { oneOf, pointerTo, readAs } from "./schema.ts";
import { type FoundZone, ttlProblems } from "./zones.ts";

/** So many RRsets can be changed at once: a transaction has the SOA, the record in the log and its head, and an answer besides. */
export const CHANGES_MAX = WRITES_MAX - 4;

/** One change of a set that is done as a whole. */
export const rrsetChangeSchema = z.strictObject({
  change: oneOf(["put", "delete"]),
  name: rrsetSchema.shape.name,
  type: rrsetSchema.shape.type,
  ttl: rrsetSchema.shape.ttl.optional(),
  rdata: rrsetSchema.shape.rdata.optional(),
}).openapi("RRsetChange");

/** A set of them. */
export const rrsetChangesSchema = z.strictObject({
  changes: z.array(rrsetChangeSchema).min(1).max(CHANGES_MAX),
})
  .openapi("RRsetChanges");

/** A change, read. */
export interface ReadChange {
  readonly name: Name;
  readonly type: number;
  /** Absent = it is deleted. */
  readonly after?: ReadRRset;
  readonly pointer: string;
}

/** Which RRset of a zone it is. */
export function idOf({ name, type }: Pick<ReadRRset, "name" | "type">): string {
  return `${fold(name)} ${type}`;
}

/** A set of changes. @throws {ProblemError} `invalid`, with every field at fault. */
export function readChanges(found: FoundZone, body: unknown): ReadChange[] {
  const { changes } = readAs(rrsetChangesSchema, body), faults = new Faults(), seen = new Set<string>();
  const read = changes.flatMap((one, i) => {
    const pointer = pointerTo("changes", i);
    const { change, ttl, rdata } = one;
    if (change === "put" && ttl === undefined) faults.add(`${pointer}/ttl`, "is missing: a put needs it");
    if (change === "put" && !rdata) faults.add(`${pointer}/rdata`, "is missing: a put needs it");
    if (change === "delete" && (ttl !== undefined || rdata)) {
      faults.add(pointer, "a delete has neither ttl nor rdata");
    }
    const put = change === "put" && ttl !== undefined && rdata ? { ttl, rdata } : undefined;
    const result = readOne(found, one.name, one.type, put, pointer, faults);
    if (result && seen.has(idOf(result))) faults.add(pointer, "is changed twice: wanted each RRset once");
    if (result) seen.add(idOf(result));
    return result ?? [];
  });
  if (faults.found.length > 0) throw ProblemError.invalid(faults.found);
  return read;
}

/** An RRset that is put at a path. @throws {ProblemError} `invalid`, `not-found` */
export function readPut(found: FoundZone, name: string, type: string, body: unknown): ReadChange {
  const { name: ownName, type: ownType, ttl, rdata } = readAs(rrsetSchema, { name, type, ...body as object });
  const faults = new Faults();
  const change = readOne(found, ownName, ownType, { ttl, rdata }, "", faults);
  if (!change || faults.found.length > 0) throw ProblemError.invalid(faults.found);
  const path = readPath(found, name, type);
  if (fold(change.name) !== fold(path.name)) faults.add("/name", `wanted ${name}, as the path has it`);
  if (change.type !== path.type) faults.add("/type", `wanted ${type}, as the path has it`);
  if (faults.found.length > 0) throw ProblemError.invalid(faults.found);
  return change;
}

/** An RRset as a path has it. @throws {ProblemError} `not-found` where there can be none such. */
export function readPath(found: FoundZone, name: string, type: string): ReadChange {
  const faults = new Faults(), change = readOne(found, name, type, undefined, "", faults);
  if (change) return change;
  throw new ProblemError("not-found", faults.found.map(({ detail }) => detail).join("; "));
}

function readOne(
  { value: zone }: FoundZone,
  nameText: string,
  typeText: string,
  put: { readonly ttl: number; readonly rdata: readonly string[] } | undefined,
  pointer: string,
  faults: Faults,
): ReadChange | undefined {
  const name = readOwner(nameText, fold(parseName(zone.name)), `${pointer}/name`, faults);
  const type = readType(typeText, `${pointer}/type`, faults);
  if (put) faults.found.push(...ttlProblems(zone, put.ttl, `${pointer}/ttl`));
  const rdata = put && type !== undefined
    ? readRdata(type, put.rdata, `${pointer}/rdata`, faults)
    : undefined;
  if (name === undefined || type === undefined || (put && !rdata)) return undefined;
  const after = put && { name, type, ttl: put.ttl, rdata: rdata! };
  return after ? { name, type, after, pointer } : { name, type, pointer };
}
