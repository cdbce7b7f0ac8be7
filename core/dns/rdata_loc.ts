/**
 * The RDATA of LOC: where on Earth something is (RFC 1876).
 *
 * @module
 */

import { type Field } from "./rdata_fields.ts";
import type { RdataTokens } from "./rdata_tokens.ts";
import { WireError, type WireReader } from "./wire.ts";

/** Angles are thousandths of an arc second from this, the equator and the prime meridian. */
const ORIGIN = 2 ** 31;

/** Altitudes are centimetres above 100 km below the reference spheroid. */
const ALTITUDE_BASE_CM = 10_000_000;

const LATITUDE = { degrees: 90, positive: "N", negative: "S" } as const;
const LONGITUDE = { degrees: 180, positive: "E", negative: "W" } as const;
type Axis = typeof LATITUDE | typeof LONGITUDE;

/** All fields of LOC; size and precisions may be left out in text, and are then 1 m, 10 km and 10 m. */
export const location: Field = {
  parse(tokens, out) {
    const latitude = parseAngle(tokens, LATITUDE);
    const longitude = parseAngle(tokens, LONGITUDE);
    const altitude = parseAltitude(tokens);
    out.u8(0);
    for (const defaultCm of [100, 1_000_000, 1_000]) out.u8(parsePrecision(tokens, defaultCm));
    out.u32(latitude);
    out.u32(longitude);
    out.u32(altitude);
  },
  format(octets) {
    const { precisions, latitude, longitude, altitude } = read(octets);
    return [
      formatAngle(latitude, LATITUDE),
      formatAngle(longitude, LONGITUDE),
      metres(altitude - ALTITUDE_BASE_CM),
      ...precisions.map((octet) => metres((octet >> 4) * 10 ** (octet & 15))),
    ].join(" ");
  },
  skip: (octets) => void read(octets),
};

function read(octets: WireReader) {
  const start = octets.at;
  const [version, ...precisions] = octets.take(4);
  const latitude = octets.u32(), longitude = octets.u32(), altitude = octets.u32();
  const isSound = version === 0 && precisions.every((octet) => octet >> 4 <= 9 && (octet & 15) <= 9) &&
    Math.abs(latitude - ORIGIN) <= 90 * 3_600_000 && Math.abs(longitude - ORIGIN) <= 180 * 3_600_000;
  if (!isSound) throw new WireError(start, "Expected a location of version 0 that is on Earth");
  return { precisions, latitude, longitude, altitude };
}

/** `DEGREES [MINUTES [SECONDS]] N|S`, or E|W. */
function parseAngle(tokens: RdataTokens, axis: Axis): number {
  const first = tokens.at, parts: number[] = [];
  for (;;) {
    const what = `degrees, minutes, seconds and ${axis.positive} or ${axis.negative}`;
    const { text } = tokens.next(what);
    const upper = text.toUpperCase();
    if (upper === axis.positive || upper === axis.negative) {
      const angle = thousandths(parts, axis.degrees);
      if (angle === undefined) tokens.fail(`expected 0 to ${axis.degrees} degrees as "51 30 12.748"`, first);
      return upper === axis.positive ? ORIGIN + angle : ORIGIN - angle;
    }
    if (!(parts.length < 2 ? /^\d{1,3}$/ : /^\d{1,2}(\.\d{1,3})?$/).test(text) || parts.length === 3) {
      tokens.fail(`expected ${what}, got "${text}"`, tokens.at - 1);
    }
    parts.push(Number(text));
  }
}

function thousandths([degrees, minutes = 0, seconds = 0]: number[], most: number): number | undefined {
  if (degrees === undefined || minutes >= 60 || seconds >= 60) return undefined;
  const angle = degrees * 3_600_000 + minutes * 60_000 + Math.round(seconds * 1000);
  return angle <= most * 3_600_000 ? angle : undefined;
}

function formatAngle(value: number, axis: Axis): string {
  const angle = Math.abs(value - ORIGIN);
  const degrees = Math.floor(angle / 3_600_000), minutes = Math.floor(angle / 60_000) % 60;
  const seconds = (angle % 60_000 / 1000).toFixed(3);
  return `${degrees} ${minutes} ${seconds} ${value >= ORIGIN ? axis.positive : axis.negative}`;
}

function parseAltitude(tokens: RdataTokens): number {
  const altitude = tokens.read("altitude", centimetres) + ALTITUDE_BASE_CM;
  if (altitude < 0 || altitude > 0xffffffff) {
    tokens.fail("expected an altitude of -100000 to 42849672.95 m", tokens.at - 1);
  }
  return altitude;
}

/** A length as one digit and a power of ten, of centimetres. */
function parsePrecision(tokens: RdataTokens, defaultCm: number): number {
  const cm = tokens.peeked ? tokens.read("precision", centimetres) : defaultCm;
  if (cm < 0 || cm > 9e9) tokens.fail("expected a precision of 0 to 90000000 m", tokens.at - 1);
  const exponent = Math.max(0, String(cm).length - 1);
  return Math.floor(cm / 10 ** exponent) << 4 | exponent;
}

function centimetres(text: string): number {
  if (!/^-?\d{1,8}(\.\d{1,2})?m?$/i.test(text)) {
    throw new SyntaxError(`expected metres as "12.34m", got "${text}"`);
  }
  return Math.round(Number(text.replace(/m$/i, "")) * 100);
}

function metres(cm: number): string {
  return `${(cm / 100).toFixed(2)}m`;
}
