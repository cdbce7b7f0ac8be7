/**
 * Writes large MaxMind DB files: leaves come in ascending order and the tree grows from below, so that no more than the
 * file itself is in memory. https://maxmind.github.io/MaxMind-DB/
 *
 * @module
 */

const RECORD_OCTETS = 4;

/** A node that an inner node or a leaf can be: leaves are ≤ 0, minus the number of their data; nodes count from 1. */
type Ref = number;

/** The search tree. */
export class MmdbTree {
  /** Two by two: the children of nodes 1, 2, … */
  #children: Int32Array;
  #count: number;
  /** What is complete on the left of the next leaf, the longest prefix last. */
  readonly #open: { length: number; ref: Ref }[] = [];

  /** An empty one, or one that goes on where `begun` ended, whose nodes it then holds. */
  constructor(begun?: MmdbTree) {
    this.#children = begun ? begun.#children : new Int32Array(1 << 22);
    this.#count = begun ? begun.#count : 0;
  }

  /** The whole, once leaves have covered the space. @throws {Error} When they have not. */
  get root(): Ref {
    if (this.#open.length !== 1 || this.#open[0]!.length !== 0) {
      throw new Error("Leaves do not cover the space");
    }
    return this.#open[0]!.ref;
  }

  get count(): number {
    return this.#count;
  }

  /** Puts a leaf behind those that are there. `data` is a number of {@linkcode MmdbData}, 0 = none. */
  append(length: number, data: number): void {
    this.#close(length, -data);
  }

  /** Puts `inner` first into a space of `length` that is otherwise without data. */
  appendAround(length: number, inner: Ref, innerLength: number): void {
    this.#close(innerLength, inner);
    for (let sibling = innerLength; sibling > length; sibling--) this.#close(sibling, 0);
  }

  #close(length: number, ref: Ref): void {
    for (let left = this.#open.at(-1); left?.length === length && length > 0; left = this.#open.at(-1)) {
      this.#open.pop();
      ref = this.#join(left.ref, ref);
      length--;
    }
    this.#open.push({ length, ref });
  }

  #join(left: Ref, right: Ref): Ref {
    if (left === right && left <= 0) return left;
    if (2 * this.#count + 2 > this.#children.length) {
      const larger = new Int32Array(2 * this.#children.length);
      larger.set(this.#children);
      this.#children = larger;
    }
    this.#children[2 * this.#count] = left;
    this.#children[2 * this.#count + 1] = right;
    return ++this.#count;
  }

  /** The tree's octets: the root, which was made last, comes first. */
  write(into: DataView, offsets: readonly number[]): void {
    const nodes = this.#count;
    const record = (ref: Ref) => ref > 0 ? nodes - ref : ref === 0 ? nodes : nodes + 16 + offsets[-ref]!;
    for (let node = 0; node < nodes; node++) {
      const from = 2 * (nodes - 1 - node);
      into.setUint32(node * 8, record(this.#children[from]!));
      into.setUint32(node * 8 + 4, record(this.#children[from + 1]!));
    }
  }
}

/** The data section: records of places. */
export class MmdbData {
  /** By number; 0 is no record. */
  readonly offsets: number[] = [0];
  readonly #octets: number[] = [];
  readonly #known = new Map<string, number>();
  readonly #countries = new Map<string, number[]>();
  readonly #keys: Readonly<Record<"country" | "isoCode" | "location" | "latitude" | "longitude", number[]>>;

  constructor() {
    this.#keys = {
      country: this.#shared(text("country")),
      isoCode: this.#shared(text("iso_code")),
      location: this.#shared(text("location")),
      latitude: this.#shared(text("latitude")),
      longitude: this.#shared(text("longitude")),
    };
  }

  get octets(): Uint8Array {
    return Uint8Array.from(this.#octets);
  }

  /** The number of a record `{ country: { iso_code }, location: { latitude, longitude } }`; of equal ones, the same. */
  place(country: string, latitude: number, longitude: number): number {
    const key = `${country} ${latitude} ${longitude}`;
    let number = this.#known.get(key);
    if (number !== undefined) return number;
    const keys = this.#keys;
    let named = this.#countries.get(country);
    if (named === undefined) {
      named = this.#shared([...map(1), ...keys.isoCode, ...text(country)]);
      this.#countries.set(country, named);
    }
    number = this.offsets.push(this.#octets.length) - 1;
    const location = [
      ...map(2),
      ...keys.latitude,
      ...double(latitude),
      ...keys.longitude,
      ...double(longitude),
    ];
    this.#octets.push(...map(2), ...keys.country, ...named, ...keys.location, ...location);
    this.#known.set(key, number);
    return number;
  }

  /** Writes something to be pointed to. @returns The pointer. */
  #shared(octets: number[]): number[] {
    const at = this.#octets.length;
    this.#octets.push(...octets);
    if (at < 2048) return [0x20 | at >> 8, at & 255];
    if (at - 2048 < 1 << 19) return [0x28 | (at - 2048) >> 16, (at - 2048) >> 8 & 255, (at - 2048) & 255];
    return [0x38, at >> 24 & 255, at >> 16 & 255, at >> 8 & 255, at & 255];
  }
}

/** The octets of a file, of records of 32 bits. */
export function mmdbFile(tree: MmdbTree, data: MmdbData, databaseType: string): Uint8Array {
  const dataOctets = data.octets, marker = [0xab, 0xcd, 0xef, ...new TextEncoder().encode("MaxMind.com")];
  const metadata = [
    ...map(9),
    ...[...text("binary_format_major_version"), ...unsigned(5, 2, 2)],
    ...[...text("binary_format_minor_version"), ...unsigned(5, 2, 0)],
    ...[...text("build_epoch"), ...unsigned(9, 8, 1_790_000_000)],
    ...[...text("database_type"), ...text(databaseType)],
    ...[...text("description"), ...map(1), ...text("en"), ...text("For a benchmark")],
    ...[...text("ip_version"), ...unsigned(5, 2, 6)],
    ...[...text("languages"), 0x01, 0x04, ...text("en")],
    ...[...text("node_count"), ...unsigned(6, 4, tree.count)],
    ...[...text("record_size"), ...unsigned(5, 2, RECORD_OCTETS * 8)],
  ];
  const treeOctets = tree.count * 2 * RECORD_OCTETS;
  const file = new Uint8Array(treeOctets + 16 + dataOctets.length + marker.length + metadata.length);
  tree.write(new DataView(file.buffer), data.offsets);
  file.set(dataOctets, treeOctets + 16);
  file.set([...marker, ...metadata], treeOctets + 16 + dataOctets.length);
  return file;
}

function map(entries: number): number[] {
  return [0xe0 | entries];
}

function text(value: string): number[] {
  const octets = new TextEncoder().encode(value);
  return [0x40 | octets.length, ...octets];
}

function double(value: number): number[] {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  return [0x68, ...new Uint8Array(view.buffer)];
}

/** Type 5 (16 bits), 6 (32) or 9 (64), which is an extended one. */
function unsigned(type: number, size: number, value: number): number[] {
  const octets = Array.from({ length: size }, (_, i) => Math.floor(value / 2 ** (8 * (size - 1 - i))) & 255);
  return type < 8 ? [type << 5 | size, ...octets] : [size, type - 7, ...octets];
}
