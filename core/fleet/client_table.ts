/**
 * Which clients get the very same reply from a pool: both address spaces cut into rows, for those who remember replies.
 *
 * A partition tells clients apart by the set of nodes that they get. Octets tell more: the order of the nodes, the scope,
 * what the deadline is the earliest of; and metrics tell how exactly a client's place is known.
 *
 * @module
 */

import type { ClientTable } from "../answer.ts";
import type { Address } from "../net/address.ts";
import { DEEP_ROW, type NetworkRows, rowOfIPv4, rowOfIPv6 } from "../net/network_rows.ts";
import { NetworkCursor, type NetworkTable, octetsOf } from "../net/network_table.ts";
import { mergeEqual } from "../net/table_algebra.ts";
import { type Geography, type PlaceTable, SPECIAL_CLASS_FIRST } from "./place.ts";

/** What the rows of a pool's clients are told apart by. */
export interface RowInputs {
  /** By the client's family: the partition's blocks. */
  readonly blocks: { readonly 4: NetworkTable; readonly 6: NetworkTable };
  /** The number of what a block consulted, by its value. */
  lookAt(value: number): number;
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
  /** How many networks both tables had when last they were made whole. */
  readonly networks: number;
}

/** Makes the rows of a pool; undefined when there is but one. */
export function partitionRows(geography: Geography, inputs: RowInputs): PartitionRows | undefined {
  const numbers = new RowNumbers(geography.places, inputs);
  const clients = {
    4: rowsOf(geography.v4, inputs.blocks[4], inputs, numbers),
    6: rowsOf(geography.v6, inputs.blocks[6], inputs, numbers),
  };
  const { scopes, consulted } = numbers, networks = clients[4].count + clients[6].count;
  return scopes.length > 1
    ? { clients, scopes: Uint8Array.from(scopes), consulted: Uint32Array.from(consulted), networks }
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
  return octetsOf(clients[4]) + octetsOf(clients[6]) + scopes.byteLength + consulted.byteLength;
}

/** How exactly a place is known, as a number. */
const UNKNOWN = 0, SPECIAL = 1, PRECISIONS = { operator: 2, city: 3, country: 4 } as const;

/**
 * Gives clients of equal replies one number, from 0. After an update they may have two: sound, and replies remembered by row
 * are missed more often. See partition_update.ts.
 */
class RowNumbers {
  readonly #places: PlaceTable;
  readonly #inputs: RowInputs;
  /** By a choice and what its block consulted, and then by that, a scope and a precision. */
  readonly #pairs = new Map<number, number>();
  readonly #rows = new Map<number, number>();
  /** Found lately: choice, look, scope and precision, then the row. Maps take five times as long, and leaves are millions. */
  readonly #lately = new Int32Array(LATELY * 4).fill(-1);
  /** By row. */
  readonly scopes: number[] = [];
  readonly consulted: number[] = [];

  constructor(places: PlaceTable, inputs: RowInputs) {
    this.#places = places;
    this.#inputs = inputs;
  }

  /** @param leafClass The value of a leaf in its geography. */
  of(leafClass: number, scope: number, consulted: number): number {
    const placeId = leafClass >= SPECIAL_CLASS_FIRST ? 0 : leafClass;
    if (!this.#inputs.tailored) scope = consulted = 0;
    const choice = this.#inputs.choiceAt(placeId), lately = this.#lately;
    const rest = scope * 8 + precisionNumber(this.#places, leafClass);
    const hash = Math.imul(
      Math.imul(choice, 0x2c1b3c6d) ^ Math.imul(consulted, 0x297a2d39) ^ rest,
      0x9e3779b1,
    );
    const at = (hash >>> 32 - LATELY_BITS) * 4;
    if (lately[at] === choice && lately[at + 1] === consulted && lately[at + 2] === rest) {
      return lately[at + 3]!;
    }
    lately[at] = choice;
    lately[at + 1] = consulted;
    lately[at + 2] = rest;
    return lately[at + 3] = this.#number(choice, consulted, rest);
  }

  #number(choice: number, consulted: number, rest: number): number {
    const row = numberOf(this.#rows, numberOf(this.#pairs, choice * PAIR + consulted) * 2048 + rest);
    this.scopes[row] = rest >> 3;
    this.consulted[row] = consulted;
    return row;
  }
}

/** How exactly the place of a leaf's clients is known, as a number below 8. @param leafClass The leaf's value in its geography. */
export function precisionNumber({ source, sourceNames }: PlaceTable, leafClass: number): number {
  if (leafClass >= SPECIAL_CLASS_FIRST) return SPECIAL;
  return leafClass === 0 ? UNKNOWN : PRECISIONS[sourceNames[source[leafClass]!]!.precision];
}

const LATELY_BITS = 14, LATELY = 1 << LATELY_BITS;

/** More than there are choices, or sets of what was consulted. */
const PAIR = 2 ** 26;

function numberOf(numbers: Map<number, number>, key: number): number {
  let number = numbers.get(key);
  if (number === undefined) numbers.set(key, number = numbers.size);
  return number;
}

/** Walks leaves and the blocks over them side by side. */
function rowsOf(
  leaves: NetworkTable,
  blocks: NetworkTable,
  inputs: RowInputs,
  numbers: RowNumbers,
): NetworkRows {
  const block = new NetworkCursor(blocks);
  let lastClass = -1, row = 0, look = inputs.lookAt(block.value);
  return mergeEqual(leaves, ({ start, length, value }) => {
    const entersBlock = !block.holds(start) && block.next();
    if (entersBlock) look = inputs.lookAt(block.value);
    if (entersBlock || value !== lastClass) {
      lastClass = value;
      row = numbers.of(lastClass, block.length, look);
    }
    return length > 64 ? DEEP_ROW : row;
  });
}
