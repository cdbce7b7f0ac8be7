/**
 * RRsets as lines of a master file (RFC 1035 section 5), and back: how a plugin writes the records that it answers with.
 *
 * @module
 */

import type { RRset } from "../answer.ts";
import { formatName, type Name, ROOT } from "../dns/name.ts";
import { formatRdata } from "../dns/rdata.ts";
import { typeToText } from "../dns/types.ts";
import { parseMasterFile } from "../zone/master_file.ts";

/**
 * Reads lines such as `www 300 A 192.0.2.1`, records of one name and type together, in the order in which they come.
 *
 * @param origin What relative names are relative to.
 * @throws {SyntaxError} At the first line that is wrong, with its number and column.
 */
export function parseRRsets(text: string, origin: Name = ROOT): RRset[] {
  const { records, errors: [error] } = parseMasterFile(text, { file: "", origin });
  if (error) throw new SyntaxError(`line ${error.at.line}, column ${error.at.column}: ${error.message}`);
  const rrsets = new Map<string, { name: Name; type: number; ttl: number; rdata: Uint8Array[] }>();
  for (const { name, type, ttl, rdata } of records) {
    const key = `${type} ${name}`;
    const rrset = rrsets.get(key);
    if (rrset) rrset.rdata.push(rdata);
    else rrsets.set(key, { name, type, ttl, rdata: [rdata] });
  }
  return [...rrsets.values()];
}

/** The lines of an RRset: `www.example.org. 300 IN A 192.0.2.1`, one a record. */
export function formatRRset({ name, type, ttl, rdata }: RRset): string[] {
  return rdata.map((octets) =>
    `${formatName(name)} ${ttl} IN ${typeToText(type)} ${formatRdata(type, octets)}`
  );
}
