/**
 * The numbers of the protocol and their names: types, classes, opcodes, RCODEs, EDNS options (RFC 6895 and IANA's
 * "Domain Name System (DNS) Parameters").
 *
 * @module
 */

/** RR types by mnemonic. */
export const TYPE = Object.freeze({
  A: 1,
  NS: 2,
  MD: 3,
  MF: 4,
  CNAME: 5,
  SOA: 6,
  MB: 7,
  MG: 8,
  MR: 9,
  NULL: 10,
  WKS: 11,
  PTR: 12,
  HINFO: 13,
  MINFO: 14,
  MX: 15,
  TXT: 16,
  RP: 17,
  AFSDB: 18,
  X25: 19,
  ISDN: 20,
  RT: 21,
  SIG: 24,
  KEY: 25,
  PX: 26,
  GPOS: 27,
  AAAA: 28,
  LOC: 29,
  NXT: 30,
  SRV: 33,
  NAPTR: 35,
  KX: 36,
  CERT: 37,
  DNAME: 39,
  OPT: 41,
  APL: 42,
  DS: 43,
  SSHFP: 44,
  IPSECKEY: 45,
  RRSIG: 46,
  NSEC: 47,
  DNSKEY: 48,
  DHCID: 49,
  NSEC3: 50,
  NSEC3PARAM: 51,
  TLSA: 52,
  SMIMEA: 53,
  HIP: 55,
  CDS: 59,
  CDNSKEY: 60,
  OPENPGPKEY: 61,
  CSYNC: 62,
  ZONEMD: 63,
  SVCB: 64,
  HTTPS: 65,
  DSYNC: 66,
  SPF: 99,
  NID: 104,
  L32: 105,
  L64: 106,
  LP: 107,
  EUI48: 108,
  EUI64: 109,
  NXNAME: 128,
  TKEY: 249,
  TSIG: 250,
  IXFR: 251,
  AXFR: 252,
  MAILB: 253,
  MAILA: 254,
  ANY: 255,
  URI: 256,
  CAA: 257,
  DLV: 32769,
});

/** Classes (RFC 1035 section 3.2.4; NONE from RFC 2136). */
export const CLASS = Object.freeze({ IN: 1, CH: 3, HS: 4, NONE: 254, ANY: 255 });

/** RCODEs, those above 15 being extended ones (RFC 6895 section 2.3). 16 is BADVERS in an OPT, BADSIG in a TSIG. */
export const RCODE = Object.freeze({
  NOERROR: 0,
  FORMERR: 1,
  SERVFAIL: 2,
  NXDOMAIN: 3,
  NOTIMP: 4,
  REFUSED: 5,
  YXDOMAIN: 6,
  YXRRSET: 7,
  NXRRSET: 8,
  NOTAUTH: 9,
  NOTZONE: 10,
  DSOTYPENI: 11,
  BADVERS: 16,
  BADKEY: 17,
  BADTIME: 18,
  BADMODE: 19,
  BADNAME: 20,
  BADALG: 21,
  BADTRUNC: 22,
  BADCOOKIE: 23,
});

/** Opcodes (RFC 6895 section 2.2). */
export const OPCODE = Object.freeze({ QUERY: 0, IQUERY: 1, STATUS: 2, NOTIFY: 4, UPDATE: 5, DSO: 6 });

/** EDNS option codes. */
export const OPTION = Object.freeze({
  NSID: 3,
  CLIENT_SUBNET: 8,
  EXPIRE: 9,
  COOKIE: 10,
  KEEPALIVE: 11,
  PADDING: 12,
  CHAIN: 13,
  KEY_TAG: 14,
  EDE: 15,
});

const typesByName = new Map<string, number>(Object.entries(TYPE));
const namesByType = inverse(TYPE);
const namesByClass = inverse(CLASS);
const namesByRcode = inverse(RCODE);

/** The number of a type's mnemonic, case aside, or of `TYPE65280` (RFC 3597 section 5); undefined for anything else. */
export function typeFromText(text: string): number | undefined {
  return typesByName.get(text) ?? typesByName.get(text.toUpperCase()) ?? numbered("TYPE", text);
}

/** A type's mnemonic, or `TYPE65280`. */
export function typeToText(type: number): string {
  return namesByType.get(type) ?? `TYPE${type}`;
}

/** The number of `IN`, `CH`, …, case aside, or of `CLASS32`; undefined for anything else. */
export function classFromText(text: string): number | undefined {
  const upper = text.toUpperCase();
  return Object.hasOwn(CLASS, upper) ? CLASS[upper as keyof typeof CLASS] : numbered("CLASS", text);
}

/** `IN`, `CH`, …, or `CLASS32`. */
export function classToText(dnsClass: number): string {
  return namesByClass.get(dnsClass) ?? `CLASS${dnsClass}`;
}

/** `NOERROR`, `NXDOMAIN`, …, or `RCODE12`. */
export function rcodeToText(rcode: number): string {
  return namesByRcode.get(rcode) ?? `RCODE${rcode}`;
}

/** Whether no zone can hold records of the type: OPT, the QTYPEs and meta-types 128 to 255, and the reserved 0. */
export function isMetaType(type: number): boolean {
  return type === 0 || type === TYPE.OPT || (type >= 128 && type <= 255);
}

function numbered(prefix: string, text: string): number | undefined {
  if (text.slice(0, prefix.length).toUpperCase() !== prefix) return undefined;
  const digits = text.slice(prefix.length);
  return /^\d{1,5}$/.test(digits) && Number(digits) <= 0xffff ? Number(digits) : undefined;
}

function inverse(table: Readonly<Record<string, number>>): ReadonlyMap<number, string> {
  return new Map(Object.entries(table).map(([name, number]) => [number, name]));
}
