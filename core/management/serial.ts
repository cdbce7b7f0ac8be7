/**
 * Serial numbers of zones (RFC 1982): of 32 bits, going round.
 *
 * @module
 */

const SERIALS = 2 ** 32;

/** The one after; 0 is passed over, which some secondaries take for none at all. */
export function nextSerial(serial: number): number {
  return (serial + 1) % SERIALS || 1;
}

/** Whether `a` comes after `b` (RFC 1982 section 3.2). Of two that are half the circle apart neither does. */
export function isAfter(a: number, b: number): boolean {
  const ahead = (a - b + SERIALS) % SERIALS;
  return ahead > 0 && ahead < SERIALS / 2;
}

/** RDATA of a SOA record with another serial (RFC 1035 section 3.3.13). */
export function withSerial(soa: Uint8Array, serial: number): Uint8Array {
  const rdata = soa.slice();
  new DataView(rdata.buffer).setUint32(rdata.length - 20, serial);
  return rdata;
}

/** The serial in RDATA of a SOA record. */
export function serialOf(soa: Uint8Array): number {
  return new DataView(soa.buffer, soa.byteOffset, soa.byteLength).getUint32(soa.length - 20);
}
