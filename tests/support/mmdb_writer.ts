/**
 * Writes MaxMind DB files, sound ones and broken ones.
 *
 * @module
 */

import { type Family, parsePrefix } from "../../core/net/address.ts";

/** What a record can hold. Whole numbers become unsigned integers, others doubles; `Float` becomes a float. */
export type Value = string | number | boolean | Float | readonly Value[] | { readonly [key: string]: Value };

/** A number to be written with 32 bits. */
export class Float {
  readonly number: number;

  constructor(number: number) {
    this.number = number;
  }
}

/** How to write a file. */
export interface MmdbShape {
  readonly recordBits?: 24 | 28 | 32;
  readonly ipVersion?: Family;
  readonly databaseType?: string;
  /** Seconds since 1970. */
  readonly buildEpoch?: number;
  /** Prefixes that lead to the node of `::/96`, as 2002::/16 does in some files. */
  readonly aliases?: readonly string[];
  /** Write equal texts once, and point to them. */
  readonly pointers?: boolean;
  /** Changes octets before the file is put together. */
  readonly corrupt?: (parts: { tree: Uint8Array; data: Uint8Array; nodeCount: number }) => void;
  /** Fields of the metadata to write otherwise. */
  readonly metadata?: Readonly<Record<string, Value>>;
}

/** Records by prefix, as text. IPv4 prefixes stand under ::/96 in a file of IP version 6. */
export type Records = Readonly<Record<string, Value>>;

interface Node {
  sides: [Node | number | undefined, Node | number | undefined];
  number: number;
}

/** The octets of a file with some records. Of nested prefixes the longer must come later. */
export function writeMmdb(records: Records, shape: MmdbShape = {}): Uint8Array<ArrayBuffer> {
  const { recordBits = 24, ipVersion = 6 } = shape;
  const data = new Values(shape.pointers ?? false);
  const root = newNode();
  for (const [text, value] of Object.entries(records)) {
    plant(root, bitsOf(text, ipVersion), data.record(value));
  }
  if (shape.aliases) {
    const inner = nodeAt(root, "0".repeat(96));
    for (const alias of shape.aliases) plant(root, bitsOf(alias, ipVersion), inner);
  }
  const nodes = numbered(root);
  const tree = writeTree(nodes, recordBits);
  const parts = { tree, data: Uint8Array.from(data.octets), nodeCount: nodes.length };
  shape.corrupt?.(parts);
  const metadata = new Values(false);
  metadata.append({
    node_count: nodes.length,
    record_size: recordBits,
    ip_version: ipVersion,
    database_type: shape.databaseType ?? "Test-City",
    languages: ["en"],
    binary_format_major_version: 2,
    binary_format_minor_version: 0,
    build_epoch: shape.buildEpoch ?? 1_790_000_000,
    description: { en: "for tests" },
    ...shape.metadata,
  });
  const marker = [0xab, 0xcd, 0xef, ...new TextEncoder().encode("MaxMind.com")];
  return Uint8Array.from([
    ...parts.tree,
    ...new Uint8Array(16),
    ...parts.data,
    ...marker,
    ...metadata.octets,
  ]);
}

/** Sets record `side` of a node in a tree of 24-bit records. */
export function setRecord24(tree: Uint8Array, node: number, side: 0 | 1, record: number): void {
  tree.set([record >> 16, record >> 8 & 255, record & 255], node * 6 + side * 3);
}

function newNode(): Node {
  return { sides: [undefined, undefined], number: -1 };
}

function bitsOf(text: string, ipVersion: Family): string {
  const prefix = parsePrefix(text)!;
  const bits = Array.from(prefix.octets, (octet) => octet.toString(2).padStart(8, "0")).join("");
  return (ipVersion === 6 && prefix.family === 4 ? "0".repeat(96) : "") + bits.slice(0, prefix.length);
}

/** The node that a path leads to; a record on the way is handed down to both sides. */
function nodeAt(root: Node, bits: string): Node {
  let node = root;
  for (const bit of bits) {
    const side = Number(bit) as 0 | 1, found = node.sides[side];
    if (typeof found === "object") {
      node = found;
    } else {
      const made: Node = { sides: [found, found], number: -1 };
      node.sides[side] = made;
      node = made;
    }
  }
  return node;
}

function plant(root: Node, bits: string, what: number | Node): void {
  nodeAt(root, bits.slice(0, -1)).sides[Number(bits.at(-1)) as 0 | 1] = what;
}

function numbered(root: Node): Node[] {
  const nodes: Node[] = [];
  const visit = (node: Node) => {
    if (node.number >= 0) return;
    node.number = nodes.push(node) - 1;
    for (const side of node.sides) if (typeof side === "object") visit(side);
  };
  visit(root);
  return nodes;
}

function writeTree(nodes: readonly Node[], recordBits: 24 | 28 | 32): Uint8Array {
  const record = (side: Node | number | undefined) =>
    side === undefined ? nodes.length : typeof side === "number" ? nodes.length + 16 + side : side.number;
  const octets = nodes.flatMap(({ sides }) => {
    // Both records side by side are one number of 48, 56 or 64 bits, but for where 28 puts its highest bits.
    const [low, high] = [BigInt(record(sides[0])), BigInt(record(sides[1]))];
    const whole = recordBits === 28
      ? (low & 0xffffffn) << 32n | (low >> 24n) << 28n | (high >> 24n) << 24n | high & 0xffffffn
      : low << BigInt(recordBits) | high;
    const hex = whole.toString(16).padStart(recordBits / 2, "0");
    return hex.match(/../g)!.map((pair) => parseInt(pair, 16));
  });
  return Uint8Array.from(octets);
}

/** A data section as it grows. */
class Values {
  readonly octets: number[] = [];
  readonly #usesPointers: boolean;
  readonly #texts = new Map<string, number>();
  readonly #records = new Map<string, number>();

  constructor(usesPointers: boolean) {
    this.#usesPointers = usesPointers;
  }

  /** Appends a record, or finds an equal one. @returns Its offset. */
  record(value: Value): number {
    const key = JSON.stringify(value);
    const known = this.#records.get(key);
    if (known !== undefined) return known;
    const at = this.octets.length;
    this.#records.set(key, at);
    this.append(value);
    return at;
  }

  append(value: Value): void {
    if (typeof value === "string") return this.#text(value);
    if (typeof value === "boolean") return this.#head(14, value ? 1 : 0);
    if (value instanceof Float) return this.#fixed(15, 4, (view) => view.setFloat32(0, value.number));
    if (typeof value === "number") {
      if (!Number.isInteger(value) || value < 0) {
        return this.#fixed(3, 8, (view) => view.setFloat64(0, value));
      }
      const digits = value === 0 ? [] : value.toString(16).padStart(12, "0").match(/../g)!;
      const octets = digits.map((pair) => parseInt(pair, 16));
      while (octets[0] === 0) octets.shift();
      this.#head(octets.length > 4 ? 9 : 6, octets.length);
      this.octets.push(...octets);
    } else if (Array.isArray(value)) {
      this.#head(11, value.length);
      for (const item of value) this.append(item);
    } else {
      const entries = Object.entries(value);
      this.#head(7, entries.length);
      for (const [key, item] of entries) {
        this.append(key);
        this.append(item as Value);
      }
    }
  }

  #text(text: string): void {
    const known = this.#texts.get(text);
    if (known !== undefined && this.#usesPointers) return this.#pointer(known);
    this.#texts.set(text, this.octets.length);
    const octets = new TextEncoder().encode(text);
    this.#head(2, octets.length);
    this.octets.push(...octets);
  }

  #pointer(to: number): void {
    if (to < 2048) this.octets.push(0x20 | to >> 8, to & 255);
    else this.octets.push(0x28 | (to - 2048) >> 16, (to - 2048) >> 8 & 255, (to - 2048) & 255);
  }

  #fixed(type: number, size: number, write: (view: DataView) => void): void {
    const view = new DataView(new ArrayBuffer(size));
    write(view);
    this.#head(type, size);
    this.octets.push(...new Uint8Array(view.buffer));
  }

  #head(type: number, size: number): void {
    const [short, more] = size < 29
      ? [size, []]
      : size < 285
      ? [29, [size - 29]]
      : [30, [(size - 285) >> 8, (size - 285) & 255]];
    if (type < 8) this.octets.push(type << 5 | short, ...more);
    else this.octets.push(short, type - 7, ...more);
  }
}
