/**
 * Domain names (RFC 1034 section 3.1, RFC 1035 section 3.1).
 *
 * A name is held as a string whose characters are the octets of its wire form, uncompressed, the root's zero
 * included: `"\x03www\x07example\x00"`. So a name is immutable, can be a key of a Map, crosses a structured
 * clone, and every octet in a label survives: a dot, a NUL, or one above 127.
 *
 * @module
 */

declare const wireName: unique symbol;

/** A domain name in wire form, one character an octet, case as given. */
export type Name = string & { readonly [wireName]: true };

/** The most octets that a name may have on the wire, the root's zero included (RFC 1035 section 3.1). */
export const NAME_OCTETS_MAX = 255;

/** The root. */
export const ROOT = "\0" as Name;

/** The same name with A to Z as a to z, and no other octet changed (RFC 4343): what names are compared by. */
export function fold(name: Name): Name {
  // Most are folded already: a look at each costs a quarter of what the expression does.
  if (!hasUpperCase(name)) return name;
  return name.replace(/[A-Z]+/g, (letters) => letters.toLowerCase()) as Name;
}

function hasUpperCase(name: Name): boolean {
  for (let i = 0; i < name.length; i++) {
    const code = name.charCodeAt(i);
    if (code >= 0x41 && code <= 0x5a) return true;
  }
  return false;
}

/** The name without its first label. The root's parent is the root. */
export function parent(name: Name): Name {
  return name.length === 1 ? name : name.slice(1 + name.charCodeAt(0)) as Name;
}

/** The name that has one label more than `encloser`, on the way down to a name below it (RFC 5155 section 1.3). */
export function nextCloser(name: Name, encloser: Name): Name {
  const end = name.length - encloser.length;
  let start = 0;
  for (let at = 0; at < end; at += 1 + name.charCodeAt(at)) start = at;
  return name.slice(start) as Name;
}

/** How many labels a name has, the root not counted. */
export function labelCount(name: Name): number {
  let count = 0;
  for (let at = 0; name.charCodeAt(at) !== 0; at += 1 + name.charCodeAt(at)) count++;
  return count;
}

/** Whether `name` is `ancestor` or lies below it. Both must be folded. */
export function isWithin(name: Name, ancestor: Name): boolean {
  const start = name.length - ancestor.length;
  let at = 0;
  while (at < start) at += 1 + name.charCodeAt(at);
  if (at !== start) return false;
  // Names are short: to call endsWith takes longer than to look.
  for (let i = 0; i < ancestor.length; i++) {
    if (name.charCodeAt(start + i) !== ancestor.charCodeAt(i)) return false;
  }
  return true;
}

/** Whether two names are equal, case aside. */
export function sameName(a: Name, b: Name): boolean {
  return a.length === b.length && (a === b || fold(a) === fold(b));
}

/** A name with one label put in front. @throws {RangeError} When the label or the name is too long. */
export function prepend(label: string, name: Name): Name {
  if (label.length < 1 || label.length > 63) {
    throw new RangeError(`Cannot make a label of ${label.length} octets`);
  }
  const longer = String.fromCharCode(label.length) + label + name;
  if (longer.length > NAME_OCTETS_MAX) throw new RangeError("Cannot make a name of more than 255 octets");
  return longer as Name;
}

/** The labels of a name, leftmost first, as strings of octets. */
export function labels(name: Name): string[] {
  const all: string[] = [];
  for (let at = 0; name.charCodeAt(at) !== 0; at += 1 + name.charCodeAt(at)) {
    all.push(name.slice(at + 1, at + 1 + name.charCodeAt(at)));
  }
  return all;
}

/**
 * Reads a name in presentation form with `\.` and `\DDD` escapes (RFC 1035 section 5.1). One that does not end
 * in a dot is relative to `origin`.
 *
 * @throws {SyntaxError} When a label is empty or over 63 octets, the name over 255, or an escape malformed.
 */
export function parseName(text: string, origin: Name = ROOT): Name {
  if (text === "@") return origin;
  if (text === ".") return ROOT;
  if (text === "") throw new SyntaxError("Cannot read a name of no characters");
  let name = "", label = "", absolute = false;
  const octets = latin1(text);
  for (let i = 0; i < octets.length; i++) {
    const c = octets[i]!;
    if (c === ".") {
      name += counted(label, text);
      label = "";
      absolute = i === octets.length - 1;
    } else if (c !== "\\") {
      label += c;
    } else if (/^\d{3}$/.test(octets.slice(i + 1, i + 4)) && Number(octets.slice(i + 1, i + 4)) < 256) {
      label += String.fromCharCode(Number(octets.slice(i + 1, i + 4)));
      i += 3;
    } else if (i + 1 < octets.length && !/\d/.test(octets[i + 1]!)) {
      label += octets[++i];
    } else {
      throw new SyntaxError(
        `Cannot read name "${text}": \\ must be followed by a character or by 000 to 255`,
      );
    }
  }
  if (!absolute) name += counted(label, text);
  name += absolute ? "\0" : origin;
  if (name.length > NAME_OCTETS_MAX) {
    throw new SyntaxError(`Cannot read name "${text}": it has ${name.length} octets, more than 255`);
  }
  return name as Name;
}

/** The presentation form, always absolute: `www.example.`; octets outside printable ASCII as `\DDD`. */
export function formatName(name: Name): string {
  if (name.length === 1) return ".";
  let text = "";
  for (const label of labels(name)) {
    text += label.replace(/[^!#%-'*-\-/-:<-?A-[\]-~]/g, escapeOctet) + ".";
  }
  return text;
}

function counted(label: string, text: string): string {
  if (label.length === 0) throw new SyntaxError(`Cannot read name "${text}": it has an empty label`);
  if (label.length > 63) {
    throw new SyntaxError(`Cannot read name "${text}": a label has ${label.length} octets, more than 63`);
  }
  return String.fromCharCode(label.length) + label;
}

function escapeOctet(c: string): string {
  return c > " " && c < "\x7f" ? "\\" + c : "\\" + String(c.charCodeAt(0)).padStart(3, "0");
}

/** Text as UTF-8 octets, one character each, so that what a file holds goes on the wire as it stands. */
function latin1(text: string): string {
  // deno-lint-ignore no-control-regex
  if (/^[\x00-\x7f]*$/.test(text)) return text;
  return Array.from(new TextEncoder().encode(text), (octet) => String.fromCharCode(octet)).join("");
}
