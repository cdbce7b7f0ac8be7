/**
 * Which clients get the very same reply from a pool: both address spaces cut into rows, for those who remember replies.
 *
 * A partition tells clients apart by the set of nodes that they get. Octets tell more: the order of the nodes, the scope,
 * what the deadline is the earliest of; and metrics tell how exactly a client's place is known.
 *
 * @module
 */

import type { ClientTable } from "../answer.ts";
import type { Address, Family } from "../net/address.ts";
import { DEEP_ROW, type NetworkRows, rowOfIPv4, rowOfIPv6 } from "../net/network_rows.ts";
import { NetworkCursor, type NetworkTable } from "../net/network_table.ts";
import { type Geography, type PlaceTable, SPECIAL_CLASS_FIRST } from "./place.ts";

/** What the rows of a pool's clients are told apart by. */
export interface RowInputs {
  /** By the client's family: the partition's blocks. A value is the number of what the block consulted. */
  readonly blocks: { readonly 4: NetworkTable; readonly 6: NetworkTable };
  /** False: scopes are 0, and all consulted the same. */
  readonly tailored: boolean;
  /** The number of a place's choice, the order of its nodes included; every leaf of the place has it. */
  choiceAt(placeId: number): number;
}

/** Rows, and what the clients of each have in common. Plain data. */
export interface PartitionRows {
  readonly clients: ClientTable;
  /** By row: the length of the clients' blocks. */
  readonly scopes: Uint8Array;
  /** By row: the number of what their blocks consulted. */
  readonly consulted: Uint32Array;
}

/** Makes the rows of a pool; undefined when there is but one. */
export function partitionRows(geography: Geography, inputs: RowInputs): PartitionRows | undefined {
  const numbers = new RowNumbers(geography.places, inputs);
  const clients = {
    4: rowsOf(geography.v4, inputs.blocks[4], numbers),
    6: rowsOf(geography.v6, inputs.blocks[6], numbers),
  };
  const { scopes, consulted } = numbers;
  return scopes.length > 1
    ? { clients, scopes: Uint8Array.from(scopes), consulted: Uint32Array.from(consulted) }
    : undefined;
}

/** The row of an address; {@linkcode DEEP_ROW} where only its prefix tells. */
export function rowOf(clients: ClientTable, { family, octets }: Address): number {
  const word = (at: number) =>
    octets[at]! << 24 | octets[at + 1]! << 16 | octets[at + 2]! << 8 | octets[at + 3]!;
  return family === 4 ? rowOfIPv4(clients[4], word(0)) : rowOfIPv6(clients[6], word(0), word(4));
}

/** How many octets rows take. */
export function rowsOctets({ clients, scopes, consulted }: PartitionRows): number {
  const octets = ({ starts, rows, index }: NetworkRows) =>
    starts.byteLength + rows.byteLength + index.byteLength;
  return octets(clients[4]) + octets(clients[6]) + scopes.byteLength + consulted.byteLength;
}

/** How exactly a place is known, as a number. */
const UNKNOWN = 0, SPECIAL = 1, PRECISIONS = { operator: 2, city: 3, country: 4 } as const;

/** Gives clients of equal replies one number, from 0. */
class RowNumbers {
  readonly #places: PlaceTable;
  readonly #inputs: RowInputs;
  /** By a choice and what its block consulted, and then by that, a scope and a precision. */
  readonly #pairs = new Map<number, number>();
  readonly #rows = new Map<number, number>();
  /** By row. */
  readonly scopes: number[] = [];
  readonly consulted: number[] = [];

  constructor(places: PlaceTable, inputs: RowInputs) {
    this.#places = places;
    this.#inputs = inputs;
  }

  /** @param leafClass The value of a leaf in its geography. */
  of(leafClass: number, scope: number, consulted: number): number {
    const isSpecial = leafClass >= SPECIAL_CLASS_FIRST, placeId = isSpecial ? 0 : leafClass;
    if (!this.#inputs.tailored) scope = consulted = 0;
    const pair = numberOf(this.#pairs, this.#inputs.choiceAt(placeId) * PAIR + consulted);
    const precision = isSpecial ? SPECIAL : this.#precisionOf(placeId);
    const row = numberOf(this.#rows, (pair * 256 + scope) * 8 + precision);
    this.scopes[row] = scope;
    this.consulted[row] = consulted;
    return row;
  }

  #precisionOf(placeId: number): number {
    if (placeId === 0) return UNKNOWN;
    const { source, sourceNames } = this.#places;
    return PRECISIONS[sourceNames[source[placeId]!]!.precision];
  }
}

/** More than there are choices, or sets of what was consulted. */
const PAIR = 2 ** 26;

function numberOf(numbers: Map<number, number>, key: number): number {
  let number = numbers.get(key);
  if (number === undefined) numbers.set(key, number = numbers.size);
  return number;
}

/** Walks leaves and the blocks over them side by side. */
function rowsOf(leaves: NetworkTable, blocks: NetworkTable, numbers: RowNumbers): NetworkRows {
  const rows = new RowsBuilder(leaves.family), isIPv4 = leaves.family === 4;
  const leaf = new NetworkCursor(leaves), block = new NetworkCursor(blocks);
  const { start } = leaf;
  let lastClass = -1, row = 0;
  do {
    const entersBlock = !block.holds(start) && block.next();
    if (entersBlock || leaf.value !== lastClass) {
      lastClass = leaf.value;
      row = numbers.of(lastClass, block.length, block.value);
    }
    if (isIPv4) rows.append(start[0]!, 0, row);
    else rows.append(start[0]!, start[1]!, leaf.length > 64 ? DEEP_ROW : row);
  } while (leaf.next());
  return rows.finish();
}

/** Takes intervals in ascending order, and joins neighbours of equal row. */
class RowsBuilder {
  readonly #words: 1 | 2;
  #count = 0;
  #starts: Uint32Array;
  #rows: Uint32Array;
  #last = -1;

  constructor(family: Family) {
    this.#words = family === 4 ? 1 : 2;
    this.#starts = new Uint32Array(1024 * this.#words);
    this.#rows = new Uint32Array(1024);
  }

  /** @param lower The second word of an IPv6 address. */
  append(upper: number, lower: number, row: number): void {
    if (row === this.#last) return;
    if (this.#count === this.#rows.length) this.#grow();
    this.#last = this.#rows[this.#count] = row;
    this.#starts[this.#count * this.#words] = upper;
    if (this.#words === 2) this.#starts[this.#count * 2 + 1] = lower;
    this.#count++;
  }

  finish(): NetworkRows {
    const starts = sharedCopy(this.#starts, this.#count * this.#words);
    return { starts, rows: sharedCopy(this.#rows, this.#count), index: this.#indexByHead(starts) };
  }

  /** See {@linkcode NetworkRows.index}. */
  #indexByHead(starts: Uint32Array): Uint32Array {
    const words = this.#words, index = sharedWords(65_537);
    const startsBy = (at: number, first: number) =>
      starts[at]! < first || (starts[at] === first && (words === 1 || starts[at + 1] === 0));
    let at = 0;
    for (let head = 0; head < 65_536; head++) {
      while (at + 1 < this.#count && startsBy((at + 1) * words, head * 65_536)) at++;
      index[head] = at;
    }
    index[65_536] = this.#count - 1;
    return index;
  }

  #grow(): void {
    const [starts, rows] = [this.#starts, this.#rows];
    this.#starts = new Uint32Array(2 * starts.length);
    this.#rows = new Uint32Array(2 * rows.length);
    this.#starts.set(starts);
    this.#rows.set(rows);
  }
}

function sharedCopy(from: Uint32Array, length: number): Uint32Array {
  const copy = sharedWords(length);
  copy.set(from.subarray(0, length));
  return copy;
}

function sharedWords(count: number): Uint32Array {
  return new Uint32Array(new SharedArrayBuffer(count * 4));
}
