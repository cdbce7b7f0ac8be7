/**
 * A geography as a file, which takes a fraction of the time to read that the databases take.
 *
 *     16 octets of identification | octets of the outline | 0 | checksum, 2 words | outline | columns
 *
 * The outline is the geography as JSON, with the place of a column where a typed array stands. Columns begin at multiples
 * of 8 octets and are as the machine has them in memory: the file is read at once, into shared memory, and is the tables.
 *
 * @module
 */

import type { Geography } from "../../core/fleet/place.ts";

/** Another when anything in the file means something else; it goes into the names of files as well. */
export const FORMAT = 6;

const IDENTIFICATION = new TextEncoder().encode(`Meridian geo ${String(FORMAT).padStart(3, "0")}`);
const HEAD_OCTETS = 32;

/** The kinds of columns. */
const COLUMNS = { Uint8Array, Uint16Array, Uint32Array, Int32Array, Float32Array, Float64Array } as const;
type Column = InstanceType<typeof COLUMNS[keyof typeof COLUMNS]>;

/** What stands in the outline for a column, and in no other place of a geography. */
interface ColumnPlace {
  readonly column: keyof typeof COLUMNS;
  readonly at: number;
  readonly length: number;
}

/** A geography as octets. */
export function encodeGeography(geography: Geography): Uint8Array {
  const columns: Column[] = [];
  let columnOctets = 0;
  const outline = new TextEncoder().encode(JSON.stringify(geography, (_, value) => {
    if (!isColumn(value)) return value;
    const place = { column: value.constructor.name, at: columnOctets, length: value.length };
    columns.push(value);
    columnOctets += rounded(value.byteLength);
    return place;
  }));
  const columnsAt = HEAD_OCTETS + rounded(outline.length);
  const octets = new Uint8Array(columnsAt + columnOctets), words = new Uint32Array(octets.buffer);
  octets.set(IDENTIFICATION);
  words[4] = outline.length;
  octets.set(outline, HEAD_OCTETS);
  let at = columnsAt;
  for (const column of columns) {
    octets.set(new Uint8Array(column.buffer, column.byteOffset, column.byteLength), at);
    at += rounded(column.byteLength);
  }
  words.set(checksum(words), 6);
  return octets;
}

/** The geography that a file holds, in shared memory. @throws {Error} That says what is wrong with the file. */
export function readGeography(path: string): Geography {
  const octets = readShared(path);
  if (octets.length < HEAD_OCTETS || octets.length % 8 !== 0) throw new Error("it is cut short");
  if (!IDENTIFICATION.every((octet, i) => octets[i] === octet)) throw new Error("it is another kind of file");
  const words = new Uint32Array(octets.buffer);
  if (!checksum(words).every((word, i) => words[6 + i] === word)) {
    throw new Error("it is damaged: its checksum is another");
  }
  const outline = octets.slice(HEAD_OCTETS, HEAD_OCTETS + words[4]!);
  const columnsAt = HEAD_OCTETS + rounded(outline.length);
  return JSON.parse(new TextDecoder().decode(new Uint8Array(outline)), (_, value) => {
    if (!isColumnPlace(value)) return value;
    const Numbers = COLUMNS[value.column] as new (
      memory: SharedArrayBuffer,
      at: number,
      length: number,
    ) => Column;
    return new Numbers(octets.buffer, columnsAt + value.at, value.length);
  });
}

function isColumn(value: unknown): value is Column {
  return ArrayBuffer.isView(value);
}

function isColumnPlace(value: unknown): value is ColumnPlace {
  return typeof value === "object" && value !== null && "column" in value;
}

function rounded(octets: number): number {
  return Math.ceil(octets / 8) * 8;
}

/** The whole of a file, in shared memory of its own. */
function readShared(path: string): Uint8Array<SharedArrayBuffer> {
  using file = Deno.openSync(path);
  const octets = new Uint8Array(new SharedArrayBuffer(file.statSync().size));
  for (let at = 0; at < octets.length;) {
    const read = file.readSync(octets.subarray(at));
    if (read === null) throw new Error("it is cut short");
    at += read;
  }
  return octets;
}

/** Of all words, those of the checksum itself taken for 0: against damage, not against people. */
function checksum(words: Uint32Array): [number, number] {
  let even = 0x811c9dc5, odd = words.length;
  for (let i = 0; i < words.length; i += 2) {
    const isOwn = i === 6;
    even = Math.imul(even ^ (isOwn ? 0 : words[i]!), 0x01000193);
    odd = Math.imul(odd ^ (isOwn ? 0 : words[i + 1]!), 0x85ebca6b);
    even ^= even >>> 15;
    odd ^= odd >>> 13;
  }
  return [even >>> 0, odd >>> 0];
}
