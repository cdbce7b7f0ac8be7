/**
 * What the RDATA of each type is made of: the table from which text, wire form, checks, names and compression follow.
 *
 * @module
 */

import {
  address,
  base32HexCounted,
  base64ToEnd,
  characterString,
  characterStrings,
  domainName,
  type Field,
  hexCounted,
  hexToEnd,
  hyphenated,
  integer,
  propertyTag,
  rrType,
  seconds,
  textToEnd,
  time,
  typeBitmap,
} from "./rdata_fields.ts";
import { location } from "./rdata_loc.ts";
import { serviceParameters } from "./rdata_svcb.ts";
import { TYPE } from "./types.ts";

/** DNSSEC algorithms that may be written as a word (RFC 4034 appendix A.1, and IANA). */
const ALGORITHMS = {
  DELETE: 0,
  RSAMD5: 1,
  DH: 2,
  DSA: 3,
  RSASHA1: 5,
  "DSA-NSEC3-SHA1": 6,
  "RSASHA1-NSEC3-SHA1": 7,
  RSASHA256: 8,
  RSASHA512: 10,
  "ECC-GOST": 12,
  ECDSAP256SHA256: 13,
  ECDSAP384SHA384: 14,
  ED25519: 15,
  ED448: 16,
  INDIRECT: 252,
  PRIVATEDNS: 253,
  PRIVATEOID: 254,
};

/** RFC 4398 section 2.1. */
const CERTIFICATE_TYPES = {
  PKIX: 1,
  SPKI: 2,
  PGP: 3,
  IPKIX: 4,
  ISPKI: 5,
  IPGP: 6,
  ACPKIX: 7,
  IACPKIX: 8,
  URI: 253,
  OID: 254,
};

const name = domainName("compress");
const olderName = domainName("decompress");
const foldedName = domainName("fold");
const keptName = domainName("keep");

const algorithm = integer(1, "algorithm", ALGORITHMS);
const flags8 = integer(1, "flags");
const flags16 = integer(2, "flags");
const preference = integer(2, "preference");
const keyTag = integer(2, "key tag");

const delegationSigner = [keyTag, algorithm, integer(1, "digest type"), hexToEnd];
const dnsKey = [flags16, integer(1, "protocol"), algorithm, base64ToEnd];
const certificateAssociation = [
  integer(1, "certificate usage"),
  integer(1, "selector"),
  integer(1, "matching type"),
  hexToEnd,
];
const serviceBinding = [integer(2, "priority"), keptName, serviceParameters];
const nsec3Parameters = [integer(1, "hash algorithm"), flags8, integer(2, "iterations"), hexCounted];

const LAYOUTS: ReadonlyMap<number, readonly Field[]> = new Map<number, readonly Field[]>([
  [TYPE.A, [address(4)]],
  [TYPE.NS, [name]],
  [TYPE.MD, [name]],
  [TYPE.MF, [name]],
  [TYPE.CNAME, [name]],
  [TYPE.SOA, [
    name,
    name,
    integer(4, "serial"),
    seconds("refresh"),
    seconds("retry"),
    seconds("expire"),
    seconds("minimum"),
  ]],
  [TYPE.MB, [name]],
  [TYPE.MG, [name]],
  [TYPE.MR, [name]],
  [TYPE.PTR, [name]],
  [TYPE.HINFO, [characterString, characterString]],
  [TYPE.MINFO, [name, name]],
  [TYPE.MX, [preference, name]],
  [TYPE.TXT, [characterStrings]],
  [TYPE.RP, [olderName, olderName]],
  [TYPE.AFSDB, [integer(2, "subtype"), olderName]],
  [TYPE.RT, [preference, olderName]],
  [TYPE.PX, [preference, olderName, olderName]],
  [TYPE.AAAA, [address(6)]],
  [TYPE.LOC, [location]],
  [TYPE.SRV, [integer(2, "priority"), integer(2, "weight"), integer(2, "port"), olderName]],
  [TYPE.NAPTR, [
    integer(2, "order"),
    preference,
    characterString,
    characterString,
    characterString,
    olderName,
  ]],
  [TYPE.KX, [preference, foldedName]],
  [TYPE.CERT, [integer(2, "certificate type", CERTIFICATE_TYPES), keyTag, algorithm, base64ToEnd]],
  [TYPE.DNAME, [foldedName]],
  [TYPE.DS, delegationSigner],
  [TYPE.SSHFP, [integer(1, "algorithm"), integer(1, "fingerprint type"), hexToEnd]],
  [TYPE.RRSIG, [
    rrType,
    algorithm,
    integer(1, "labels"),
    integer(4, "original TTL"),
    time("expiration"),
    time("inception"),
    keyTag,
    foldedName,
    base64ToEnd,
  ]],
  [TYPE.NSEC, [keptName, typeBitmap]],
  [TYPE.DNSKEY, dnsKey],
  [TYPE.DHCID, [base64ToEnd]],
  [TYPE.NSEC3, [...nsec3Parameters, base32HexCounted, typeBitmap]],
  [TYPE.NSEC3PARAM, nsec3Parameters],
  [TYPE.TLSA, certificateAssociation],
  [TYPE.SMIMEA, certificateAssociation],
  [TYPE.CDS, delegationSigner],
  [TYPE.CDNSKEY, dnsKey],
  [TYPE.OPENPGPKEY, [base64ToEnd]],
  [TYPE.CSYNC, [integer(4, "serial"), flags16, typeBitmap]],
  [TYPE.ZONEMD, [integer(4, "serial"), integer(1, "scheme"), integer(1, "hash algorithm"), hexToEnd]],
  [TYPE.SVCB, serviceBinding],
  [TYPE.HTTPS, serviceBinding],
  [TYPE.SPF, [characterStrings]],
  [TYPE.EUI48, [hyphenated(6)]],
  [TYPE.EUI64, [hyphenated(8)]],
  [TYPE.URI, [integer(2, "priority"), integer(2, "weight"), textToEnd]],
  [TYPE.CAA, [flags8, propertyTag, textToEnd]],
]);

/** The fields of a type's RDATA; undefined for a type that is only known as octets. */
export function layoutOf(type: number): readonly Field[] | undefined {
  return LAYOUTS.get(type);
}

/** Where names stand in RDATA that is written compressed: after `skip` octets, `count` of them. */
export interface CompressedNames {
  readonly skip: number;
  readonly count: number;
}

/** See {@linkcode CompressedNames}; undefined for types whose RDATA is written as it stands. */
export function compressedNames(type: number): CompressedNames | undefined {
  // All such types are below 16 (RFC 3597 section 4): the usual answer is one look in an array.
  return type < COMPRESSED.length ? COMPRESSED[type] : undefined;
}

const COMPRESSED: readonly (CompressedNames | undefined)[] = Array.from({ length: 16 }, (_, type) => {
  const fields = LAYOUTS.get(type) ?? [];
  const first = fields.findIndex((field) => field.name === "compress");
  if (first < 0) return undefined;
  return {
    skip: fields.slice(0, first).reduce((sum, field) => sum + (field.octetCount ?? 0), 0),
    count: fields.filter((field) => field.name === "compress").length,
  };
});
