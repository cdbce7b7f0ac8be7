/**
 * Makes a zone of the records of a master file, and says what in them cannot be a zone.
 *
 * @module
 */

import type { RRset } from "../answer.ts";
import type { Position } from "../corefile/directive.ts";
import { fold, formatName, isWithin, type Name, NAME_OCTETS_MAX } from "../dns/name.ts";
import { MESSAGE_OCTETS_MAX, writeRecord } from "../dns/message.ts";
import { canonicalRdata } from "../dns/rdata.ts";
import { CLASS, TYPE, typeToText } from "../dns/types.ts";
import { WireWriter } from "../dns/wire.ts";
import type { ZoneFileError } from "./lexer.ts";
import { soaMinimum, type ZoneRecord } from "./master_file.ts";
import { nameInRdata } from "./rdata_names.ts";
import { each, finish, type Steps } from "./steps.ts";
import { addEmptyNonTerminals, hiddenBy, type Zone, type ZoneNode } from "./zone.ts";

/** What became of some records. */
export interface MadeZone {
  /** Absent when there are errors. */
  readonly zone?: Zone;
  readonly errors: readonly ZoneFileError[];
  readonly warnings: readonly ZoneFileError[];
}

/** Types that may stand beside a CNAME: those that speak of the name itself (RFC 2181 section 10.1, RFC 4034). */
const BESIDE_CNAME: ReadonlySet<number> = new Set([TYPE.RRSIG, TYPE.NSEC, TYPE.KEY, TYPE.SIG, TYPE.NXT]);

/** RRsets of one record: RFC 1035 section 3.3.13, RFC 2181 section 10.1, RFC 6672 section 2.4. */
const SINGLETONS: readonly number[] = [TYPE.SOA, TYPE.CNAME, TYPE.DNAME];

/** What a delegation leaves visible at its own name; addresses are glue. */
const AT_CUT: ReadonlySet<number> = new Set([TYPE.NS, TYPE.DS, TYPE.NSEC, TYPE.RRSIG, TYPE.A, TYPE.AAAA]);

/** What it leaves visible below: glue. */
const BELOW_CUT: ReadonlySet<number> = new Set([TYPE.A, TYPE.AAAA]);

/**
 * The zone at `origin` (folded) of `records`. Errors that no record is the place of, such as a missing SOA, are
 * reported `at` the start of the file.
 */
export function makeZone(
  origin: Name,
  records: readonly ZoneRecord[],
  at: Position = records[0]?.at ?? { file: "", line: 1, column: 1 },
): MadeZone {
  return finish(makeZoneInSteps(origin, records, at));
}

/** {@linkcode makeZone}, with rests. */
export function* makeZoneInSteps(
  origin: Name,
  records: readonly ZoneRecord[],
  at: Position,
): Steps<MadeZone> {
  const errors: ZoneFileError[] = [];
  const warnings: ZoneFileError[] = [];
  const owners = yield* byOwner(origin, records, warnings);
  checkApex(origin, owners, at, errors);
  yield* each(owners, ([folded, owner]) => checkOwner(origin, folded, owner, errors));
  const cuts = yield* cutsOf(origin, owners);
  yield* hide(origin, owners, cuts, errors, warnings);
  yield* each(owners.values(), (owner) => checkSizes(owner, errors));
  if (errors.length > 0) return { errors, warnings };
  const nodes = new Map<Name, ZoneNode>();
  yield* each(owners, ([folded, owner]) => void nodes.set(folded, nodeOf(owner, warnings)));
  yield* each(owners.keys(), (folded) => addEmptyNonTerminals(nodes, folded, origin, nodes));
  yield* each(owners.values(), (owner) => checkNameServers(origin, owner, nodes, warnings));
  const soa = nodes.get(origin)!.rrsets.get(TYPE.SOA)!;
  const negativeSoa = { ...soa, ttl: Math.min(soa.ttl, soaMinimum(soa.rdata[0]!)) };
  return { zone: { origin, nodes, cuts, negativeSoa }, errors, warnings };
}

/** The records of one owner name, by type, in file order, each RDATA once. */
type Owner = Map<number, ZoneRecord[]>;

function* byOwner(
  origin: Name,
  records: readonly ZoneRecord[],
  warnings: ZoneFileError[],
): Steps<Map<Name, Owner>> {
  const owners = new Map<Name, Owner>();
  // Only records that share owner and type can be the same, and most share it with none.
  const seen = new Set<string>();
  yield* each(records, (record) => {
    const folded = fold(record.name);
    if (!isWithin(folded, origin)) {
      warnings.push(problem(record, `is outside the zone ${formatName(origin)}: left out`));
      return;
    }
    const owner = getOrMake(owners, folded, (): Owner => new Map());
    const alike = getOrMake(owner, record.type, (): ZoneRecord[] => []);
    if (alike.length === 1) seen.add(keyOf(alike[0]!));
    if (alike.length > 0) {
      const key = keyOf(record);
      if (seen.has(key)) return;
      seen.add(key);
    }
    alike.push(record);
  });
  return owners;
}

/** Equal for records that are the same, case of names aside. */
function keyOf({ name, type, rdata }: ZoneRecord): string {
  return `${fold(name)} ${type} ${String.fromCharCode(...canonicalRdata(type, rdata))}`;
}

function getOrMake<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const found = map.get(key);
  if (found !== undefined) return found;
  const made = make();
  map.set(key, made);
  return made;
}

function checkApex(origin: Name, owners: Map<Name, Owner>, at: Position, errors: ZoneFileError[]): void {
  const apex = owners.get(origin);
  for (const type of [TYPE.SOA, TYPE.NS]) {
    if (!apex?.has(type)) {
      errors.push({ at, message: `found no ${typeToText(type)} at ${formatName(origin)}: wanted one` });
    }
  }
}

function checkOwner(origin: Name, folded: Name, owner: Owner, errors: ZoneFileError[]): void {
  for (const type of SINGLETONS) {
    const second = owner.get(type)?.[1];
    if (second) errors.push(problem(second, "is the second of its type here: wanted one"));
  }
  const beside = [...owner].find(([type]) => type !== TYPE.CNAME && !BESIDE_CNAME.has(type))?.[1][0];
  if (owner.has(TYPE.CNAME) && beside) {
    errors.push(problem(beside, "stands beside a CNAME: wanted the CNAME alone (RFC 1034 section 3.6.2)"));
  }
  if (folded === origin) return;
  const soa = owner.get(TYPE.SOA)?.[0];
  if (soa) errors.push(problem(soa, `is not at the apex: wanted it at ${formatName(origin)} only`));
  const ns = owner.get(TYPE.NS)?.[0];
  if (ns && owner.has(TYPE.DNAME)) {
    errors.push(
      problem(ns, "stands beside a DNAME below the apex: wanted one of them (RFC 6672 section 2.3)"),
    );
  }
  if (ns && folded.startsWith("\x01*")) {
    errors.push(problem(ns, "delegates a wildcard: wanted a name (RFC 4592 section 4.2)"));
  }
}

/** An RRset goes out whole or not at all, so each must fit the largest message (RFC 2181 section 5, RFC 1035 section 4.2.2). */
function checkSizes(owner: Owner, errors: ZoneFileError[]): void {
  for (const [type, records] of owner) {
    // Most are far too small to be worth writing out.
    const octets = records.reduce((sum, { rdata }) => sum + RECORD_OCTETS_MIN + rdata.length, 0);
    if (octets + NAME_OCTETS_MAX + QUERY_OCTETS <= MESSAGE_OCTETS_MAX) continue;
    if (fitsMessage(type, records)) continue;
    const what =
      `is the first of ${records.length} that need a message of more than ${MESSAGE_OCTETS_MAX} octets`;
    errors.push(problem(records[0]!, `${what}: wanted fewer, for an RRset is answered whole`));
  }
}

/** A record without its RDATA, its owner name compressed. */
const RECORD_OCTETS_MIN = 12;

/** A header, and a question without its name. */
const QUERY_OCTETS = 16;

/** Whether a response can hold these records, one RRset, and nothing else; names are compressed. */
function fitsMessage(type: number, records: readonly ZoneRecord[]): boolean {
  const { name } = records[0]!;
  const writer = new WireWriter();
  // Stands for the header and the question's type and class, so that offsets are what they will be.
  writer.bytes(new Uint8Array(12));
  writer.name(name);
  writer.bytes(new Uint8Array(4));
  for (const { ttl, rdata } of records) {
    writeRecord(writer, name, type, CLASS.IN, ttl, rdata);
    if (writer.at > MESSAGE_OCTETS_MAX) return false;
  }
  return true;
}

function* cutsOf(origin: Name, owners: ReadonlyMap<Name, Owner>): Steps<Set<Name>> {
  const delegated = (name: Name) => name !== origin && owners.get(name)?.has(TYPE.NS) === true;
  const cuts = new Set<Name>();
  yield* each(owners.keys(), (name) => {
    if (delegated(name) && hiddenBy(name, origin, delegated) === undefined) cuts.add(name);
  });
  return cuts;
}

/** Takes out what delegations hide, glue excepted. A record below a DNAME is an error. */
function* hide(
  origin: Name,
  owners: Map<Name, Owner>,
  cuts: ReadonlySet<Name>,
  errors: ZoneFileError[],
  warnings: ZoneFileError[],
): Steps<void> {
  yield* each(owners, ([name, owner]) => {
    const cut = hiddenBy(name, origin, (above) => cuts.has(above));
    const dname = hiddenBy(name, origin, (above) => owners.get(above)?.has(TYPE.DNAME) === true);
    if (cut !== undefined) keepOnly(BELOW_CUT, owner, cut, warnings);
    else if (dname !== undefined) reportBelowDname(owner, dname, errors);
    else if (cuts.has(name)) keepOnly(AT_CUT, owner, name, warnings);
    if (owner.size === 0) owners.delete(name);
  });
}

function reportBelowDname(owner: Owner, dname: Name, errors: ZoneFileError[]): void {
  for (const [record] of owner.values()) {
    const where = `lies below the DNAME at ${formatName(dname)}`;
    errors.push(problem(record!, `${where}: wanted nothing there (RFC 6672 section 2.4)`));
  }
}

function keepOnly(kept: ReadonlySet<number>, owner: Owner, cut: Name, warnings: ZoneFileError[]): void {
  for (const [type, [record]] of owner) {
    if (kept.has(type)) continue;
    warnings.push(problem(record!, `is hidden by the delegation of ${formatName(cut)}: left out`));
    owner.delete(type);
  }
}

function nodeOf(owner: Owner, warnings: ZoneFileError[]): ZoneNode {
  const rrsets = new Map<number, RRset>();
  let name: Name | undefined;
  for (const [type, records] of owner) {
    name ??= records[0]!.name;
    const ttl = Math.min(...records.map((record) => record.ttl));
    const odd = records.find((record) => record.ttl !== ttl);
    if (odd) {
      warnings.push(problem(
        odd,
        `has TTL ${odd.ttl}, another of its RRset ${ttl}: taking ${ttl} for all (RFC 2181 section 5.2)`,
      ));
    }
    rrsets.set(type, { name, type, ttl, rdata: records.map((record) => record.rdata) });
  }
  return { name: name!, rrsets };
}

/** A name server in the zone that has no address there is most often a missing record or a missing dot. */
function checkNameServers(
  origin: Name,
  owner: Owner,
  nodes: ReadonlyMap<Name, ZoneNode>,
  warnings: ZoneFileError[],
): void {
  for (const record of owner.get(TYPE.NS) ?? []) {
    const target = nameInRdata(record.rdata, 0);
    if (!isWithin(fold(target), origin)) continue;
    const rrsets = nodes.get(fold(target))?.rrsets;
    if (rrsets?.has(TYPE.CNAME)) {
      warnings.push(problem(record, `names ${formatName(target)}, a CNAME (RFC 2181 section 10.3)`));
    } else if (!rrsets?.has(TYPE.A) && !rrsets?.has(TYPE.AAAA)) {
      warnings.push(problem(record, `names ${formatName(target)}, which has no address in this zone`));
    }
  }
}

function problem({ at, name, type }: ZoneRecord, what: string): ZoneFileError {
  return { at, message: `${typeToText(type)} at ${formatName(name)} ${what}` };
}
