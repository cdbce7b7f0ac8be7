/**
 * As much of X.509 (RFC 5280) as it takes to know whom a certificate names: read from its octets, because the text that
 * TLS libraries make of alternative names does not show where one ends, and a name may contain what looks like another.
 *
 * @module
 */

/** Whom a certificate names, and when it is valid. */
export interface CertificateNames {
  readonly commonNames: readonly string[];
  readonly dns: readonly string[];
  readonly uris: readonly string[];
  readonly emails: readonly string[];
  /** Milliseconds since 1970; both included. */
  readonly fromMs: number;
  readonly untilMs: number;
}

/** A value of DER (X.690): its tag's octet, and where its contents lie. */
interface Value {
  readonly tag: number;
  readonly octets: Uint8Array;
}

const SEQUENCE = 0x30, OBJECT_IDENTIFIER = 0x06, VERSION = 0xa0, EXTENSIONS = 0xa3, UTC_TIME = 0x17;

/** id-at-commonName and id-ce-subjectAltName, as DER has them. */
const COMMON_NAME = "550403", ALTERNATIVE_NAME = "551d11";

/** Kinds of GeneralName (RFC 5280 section 4.2.1.6), all of them IA5String. */
const EMAIL = 0x81, DNS = 0x82, URI = 0x86;

/** UTF8String, PrintableString, IA5String: the texts whose octets are their characters. */
const TEXTS = [0x0c, 0x13, 0x16];

/** Reads them. @throws {SyntaxError} Octets that are no certificate. */
export function readCertificateNames(certificate: Uint8Array): CertificateNames {
  const [toBeSigned] = valuesIn(only(certificate, SEQUENCE).octets);
  if (toBeSigned?.tag !== SEQUENCE) throw new SyntaxError("Cannot read the certificate: it has no contents");
  const fields = valuesIn(toBeSigned.octets);
  // serialNumber, signature, issuer, validity, subject, behind a version that need not be there
  const [, , , validity, subject] = fields[0]?.tag === VERSION ? fields.slice(1) : fields;
  if (!validity || !subject) throw new SyntaxError("Cannot read the certificate: it has no subject");
  const [from, until] = valuesIn(validity.octets).map(timeMs);
  const extensions = fields.find(({ tag }) => tag === EXTENSIONS);
  const alternatives = extensions ? alternativeNames(extensions.octets) : [];
  const ofKind = (kind: number) => alternatives.filter(({ tag }) => tag === kind).flatMap(textOf);
  return {
    commonNames: commonNames(subject.octets),
    ...{ dns: ofKind(DNS), uris: ofKind(URI), emails: ofKind(EMAIL) },
    ...{ fromMs: from ?? NaN, untilMs: until ?? NaN },
  };
}

/** Name ::= SEQUENCE OF SET OF SEQUENCE { type, value } */
function commonNames(subject: Uint8Array): string[] {
  return valuesIn(subject).flatMap(({ octets }) => valuesIn(octets)).flatMap(({ octets }) => {
    const [type, value] = valuesIn(octets);
    if (type?.tag !== OBJECT_IDENTIFIER || type.octets.toHex() !== COMMON_NAME || !value) return [];
    return TEXTS.includes(value.tag) ? textOf(value) : [];
  });
}

/** Extensions ::= SEQUENCE OF SEQUENCE { id, critical (absent = false), OCTET STRING of what it says } */
function alternativeNames(extensions: Uint8Array): Value[] {
  return valuesIn(only(extensions, SEQUENCE).octets).flatMap(({ octets }) => {
    const parts = valuesIn(octets), id = parts[0], contents = parts.at(-1);
    if (!id || !contents || id.octets.toHex() !== ALTERNATIVE_NAME) return [];
    return valuesIn(only(contents.octets, SEQUENCE).octets);
  });
}

/** The text, unless it has what no name has. */
function textOf({ octets }: Value): string[] {
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(octets);
    return /^[^\p{C}\p{Zl}\p{Zp}]+$/u.test(text) ? [text] : [];
  } catch {
    return [];
  }
}

/** UTCTime with its two digits of a year, which are 1950 to 2049, or GeneralizedTime; always in whole seconds of UTC. */
function timeMs({ tag, octets }: Value): number {
  const text = new TextDecoder().decode(octets);
  const century = tag !== UTC_TIME ? "" : Number(text.slice(0, 2)) < 50 ? "20" : "19";
  const digits = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)Z$/.exec(century + text);
  if (!digits) throw new SyntaxError(`Cannot read the certificate: ${JSON.stringify(text)} is no time`);
  const [year, month, day, hour, minute, second] = digits.slice(1).map(Number);
  return Date.UTC(year!, month! - 1, day, hour, minute, second);
}

function only(octets: Uint8Array, tag: number): Value {
  const [value, ...more] = valuesIn(octets);
  if (value?.tag === tag && more.length === 0) return value;
  throw new SyntaxError("Cannot read the certificate: something else is where a sequence should be");
}

/** The values that stand one behind the other. */
function valuesIn(octets: Uint8Array): Value[] {
  const values: Value[] = [];
  for (let at = 0; at < octets.length;) {
    const tag = octets[at]!, { length, begin } = lengthAt(octets, at + 1);
    if ((tag & 31) === 31 || begin + length > octets.length) {
      throw new SyntaxError(`Cannot read the certificate: nothing it can have begins with octet ${tag}`);
    }
    values.push({ tag, octets: octets.subarray(begin, begin + length) });
    at = begin + length;
  }
  return values;
}

function lengthAt(octets: Uint8Array, at: number): { length: number; begin: number } {
  const first = octets[at] ?? 0x80;
  if (first < 0x80) return { length: first, begin: at + 1 };
  const count = first & 0x7f;
  if (count === 0 || count > 3) throw new SyntaxError("Cannot read the certificate: a length is wrong");
  const length = octets.subarray(at + 1, at + 1 + count).reduce((sum, octet) => sum * 256 + octet, 0);
  return { length, begin: at + 1 + count };
}
