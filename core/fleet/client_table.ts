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
  return octetsOf(clients[4]) + octetsOf(clients[6]) + scopes.byteLength + consulted.byteLength;
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
  const block = new NetworkCursor(blocks);
  let lastClass = -1, row = 0;
  return mergeEqual(leaves, ({ start, length, value }) => {
    const entersBlock = !block.holds(start) && block.next();
    if (entersBlock || value !== lastClass) {
      lastClass = value;
      row = numbers.of(lastClass, block.length, block.value);
    }
    return length > 64 ? DEEP_ROW : row;
  });
}
