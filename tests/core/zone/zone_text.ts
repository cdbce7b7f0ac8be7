/** Zones from, and answers as, zone-file lines. @module */

import assert from "node:assert/strict";
import type { Answer, RRset } from "../../../core/answer.ts";
import { fold, formatName, parseName } from "../../../core/dns/name.ts";
import { formatRdata } from "../../../core/dns/rdata.ts";
import { rcodeToText, typeFromText, typeToText } from "../../../core/dns/types.ts";
import { lookup, type ZoneQuery } from "../../../core/zone/lookup.ts";
import { makeZone } from "../../../core/zone/make_zone.ts";
import { parseMasterFile, type ZoneFileError } from "../../../core/zone/master_file.ts";
import { openZone, pack } from "../../../core/zone/packed_zone.ts";
import type { Zone } from "../../../core/zone/zone.ts";

export const ORIGIN = parseName("example.org.");

export const APEX = "$TTL 300\n@ SOA ns host 1 2 3 4 60\n@ NS ns\nns A 192.0.2.53\n";

/** The zone example.org of some lines below its usual apex, as a worker finds it. */
export function zoneOf(...lines: string[]): Zone {
  const { records, errors } = parseMasterFile(APEX + lines.join("\n"), { file: "zone", origin: ORIGIN });
  assert.deepEqual(errors, []);
  const made = makeZone(ORIGIN, records);
  assert.deepEqual(made.errors, []);
  return openZone(structuredClone(pack(made.zone!)));
}

/** Asks `NAME TYPE`, the name relative to example.org. */
export function ask(zone: Zone, question: string, more: Partial<ZoneQuery> = {}): Answer {
  const [text, type] = question.split(" ");
  const name = parseName(text!, ORIGIN);
  return lookup(zone, {
    name,
    folded: fold(name),
    type: typeFromText(type!)!,
    chaseToPools: true,
    dnssecOk: false,
    ...more,
  });
}

/**
 * An answer in lines: `NXDOMAIN aa`, then each record under its section's initials (an, ns, ar), names relative to
 * example.org.
 */
export function show(answer: Answer): string[] {
  return [
    rcodeToText(answer.rcode) + (answer.authoritative ? " aa" : ""),
    ...answer.answer.flatMap((rrset) => lines("an", rrset)),
    ...answer.authority.flatMap((rrset) => lines("ns", rrset)),
    ...answer.additional.flatMap((rrset) => lines("ar", rrset)),
  ];
}

/** RRsets as `NAME TTL TYPE RDATA`. */
export function lines(section: string, { name, type, ttl, rdata, pool }: RRset): string[] {
  const texts = pool === undefined ? rdata.map((one) => formatRdata(type, one)) : [`(pool ${pool})`];
  return texts.map((text) =>
    `${section} ${formatName(name)} ${ttl} ${typeToText(type)} ${text}`.replaceAll(/\.example\.org\./gi, "")
      .replaceAll(/(?<= )example\.org\./gi, "@")
  );
}

/** Problems as `LINE:COLUMN message`. */
export function showProblems(problems: readonly ZoneFileError[]): string[] {
  return problems.map(({ at, message }) => `${at.line}:${at.column} ${message}`);
}
