/**
 * What tells apart the replies to one question: a way to make a key out of a packet, packed into one number.
 *
 *     0         the question and the packet's shape alone
 *     CLIENT    the row of the client's address in a table, or its prefix of a given length
 *     SOURCE    the packet's source address, whole
 *     BOUNDED   the payload size that the client takes: something did not fit
 *     ROTATION  the message ID modulo a number
 *
 * @module
 */

import type { Answer, ClientTable, RRset } from "../../answer.ts";
import { DEEP_ROW, rowOfIPv4, rowOfIPv6 } from "../../net/network_rows.ts";
import { RowSearch, TOGETHER_MAX } from "../../net/row_search.ts";
import { TYPE } from "../../dns/types.ts";
import { type Packet, SHAPE } from "./packet.ts";

const ROW = 1, PREFIX = 2, CLIENT_MASK = 3;
/** The client is the packet's source, whatever its ECS option says. */
const FROM_SOURCE = 4;
const SOURCE = 8, BOUNDED = 16;
/** A prefix's length, or the number of a table. */
const PARAMETER_SHIFT = 5, PARAMETER_MASK = 0xff;
const ROTATION_SHIFT = 13, ROTATION_MAX = 0xffff;

/** The most words that a key has: a prefix, a source, a payload size, a remainder. */
export const KEY_WORDS_MAX = 10;

/** The way of replies that are the same for every client. */
export const WAY_OF_ALL = 0;

/** How many clients' rows are kept at hand, a power of two: one for each packet that came together with others. */
const ROWS = TOGETHER_MAX;

/** Tells an entry from an empty one. */
const KNOWN = 1 << 16;

/** How many tables of clients are known at a time. */
const TABLES_MAX = PARAMETER_MASK + 1;

/** Makes keys; knows the tables that rows are looked up in. */
export class Ways {
  /** The key made last. */
  readonly key = new Int32Array(KEY_WORDS_MAX);
  readonly #tables: ClientTable[] = [];
  /** By packet, the row that was looked up last: two words of an address, the number of a table with the family, the row. */
  readonly #rows = new Int32Array(ROWS * 4);
  readonly #search = new RowSearch();
  /** Packets whose rows are to be looked up together, and those of them that are being looked up. */
  readonly #waiting = new Uint8Array(ROWS);
  readonly #sought = new Uint8Array(ROWS);
  #waitingCount = 0;

  /** How many tables of clients are known, those of partitions that are no more among them. */
  get tableCount(): number {
    return this.#tables.length;
  }

  /** Whether there is no room for another table: everything must be forgotten first. */
  get isFull(): boolean {
    return this.#tables.length >= TABLES_MAX;
  }

  clear(): void {
    this.#tables.length = 0;
    this.#rows.fill(0);
    this.#waitingCount = 0;
  }

  /** The way to what an answer depended on; undefined where none leads there. `knowsPlaces`: clients have places there. */
  wayOf(packet: Packet, answer: Answer, isComplete: boolean, knowsPlaces: boolean): number | undefined {
    const { scopePrefixLength, keys, clients, rotation = 1 } = answer.dependence;
    if (keys.includes("port") || rotation > ROTATION_MAX) return undefined;
    let way = (keys.includes("source") ? SOURCE : 0) | (isComplete ? 0 : BOUNDED) |
      (rotation > 1 ? rotation << ROTATION_SHIFT : 0);
    const isTailored = scopePrefixLength > 0 || keys.includes("tailored");
    // All clients within a scope get the same records, but that is no word on their order.
    const isOrdered = knowsPlaces && hasOrder(answer);
    if (!isTailored && !clients && !isOrdered) return way;
    if (answer.ecs === false) way |= FROM_SOURCE;
    if (clients && rowOf(clients, packet, answer.ecs === false) !== DEEP_ROW) {
      return way | ROW | this.#numberOf(clients) << PARAMETER_SHIFT;
    }
    const whole = packet.clientIsIPv6(answer.ecs === false) ? 128 : 32;
    return way | PREFIX | (isOrdered ? whole : scopePrefixLength) << PARAMETER_SHIFT;
  }

  /** Makes the key of a packet; returns how many words it has, -1 where this way leads nowhere for it. `id` is the message's. */
  makeKey(packet: Packet, way: number, id: number): number {
    const { key } = this;
    let count = 0;
    const kind = way & CLIENT_MASK, parameter = way >> PARAMETER_SHIFT & PARAMETER_MASK;
    if (kind === ROW) {
      const row = this.#rowIn(parameter, packet, (way & FROM_SOURCE) !== 0);
      if (row === (DEEP_ROW | 0)) return -1;
      key[count++] = row;
    } else if (kind === PREFIX) {
      const words = packet.client((way & FROM_SOURCE) !== 0);
      const isIPv6 = packet.clientIsIPv6((way & FROM_SOURCE) !== 0);
      if (!isIPv6 && parameter > 32) return -1;
      for (let left = parameter, i = 0; left > 0; left -= 32, i++) {
        key[count++] = left >= 32 ? words[i]! : words[i]! & ~(-1 >>> left);
      }
    }
    if ((way & SOURCE) !== 0) {
      const { source } = packet;
      key[count++] = source[0]!;
      if ((packet.shape & SHAPE.SOURCE_IPV6) !== 0) {
        key[count++] = source[1]!;
        key[count++] = source[2]!;
        key[count++] = source[3]!;
      }
    }
    if ((way & BOUNDED) !== 0) key[count++] = packet.payload;
    const rotation = way >>> ROTATION_SHIFT;
    if (rotation > 0) key[count++] = id % rotation;
    return count;
  }

  /** Has the row that a way takes for a packet looked up together with those of others. */
  expect(packet: Packet, way: number): void {
    if ((way & CLIENT_MASK) !== ROW || this.#waitingCount === ROWS) return;
    const fromSource = (way & FROM_SOURCE) !== 0, table = way >> PARAMETER_SHIFT & PARAMETER_MASK;
    const words = packet.client(fromSource), isIPv6 = packet.clientIsIPv6(fromSource), rows = this.#rows;
    const at = packet.slot * 4;
    rows[at] = words[0]!;
    rows[at + 1] = isIPv6 ? words[1]! : 0;
    // Not known until it has been found.
    rows[at + 2] = table << 1 | (isIPv6 ? 1 : 0);
    this.#waiting[this.#waitingCount++] = packet.slot;
  }

  /** Looks up the rows that are expected: those of one table and family together, which as a rule are all. */
  findExpected(): void {
    const rows = this.#rows, sought = this.#sought, search = this.#search;
    while (this.#waitingCount > 0) {
      const which = rows[this.#waiting[0]! * 4 + 2]!, count = this.#takeAlike(which);
      const table = this.#tables[which >> 1]!;
      if ((which & 1) === 0) search.findIPv4(table[4], count);
      else search.findIPv6(table[6], count);
      for (let i = 0; i < count; i++) {
        const at = sought[i]! * 4;
        rows[at + 2] = which | KNOWN;
        rows[at + 3] = search.rows[i]!;
      }
    }
  }

  /** Hands the clients of one table to the search, and leaves the others waiting. @returns How many they are. */
  #takeAlike(which: number): number {
    const rows = this.#rows, waiting = this.#waiting, sought = this.#sought, { upper, lower } = this.#search;
    let count = 0, left = 0;
    for (let i = 0; i < this.#waitingCount; i++) {
      const slot = waiting[i]!, at = slot * 4;
      if (rows[at + 2] !== which) {
        waiting[left++] = slot;
        continue;
      }
      upper[count] = rows[at]!;
      lower[count] = rows[at + 1]!;
      sought[count++] = slot;
    }
    this.#waitingCount = left;
    return count;
  }

  /** The row of the packet's client, as a signed word. A table never changes, so what was found before still stands. */
  #rowIn(table: number, packet: Packet, fromSource: boolean): number {
    const words = packet.client(fromSource), isIPv6 = packet.clientIsIPv6(fromSource), rows = this.#rows;
    const upper = words[0]!, lower = isIPv6 ? words[1]! : 0, which = table << 1 | (isIPv6 ? 1 : 0) | KNOWN;
    const at = packet.slot * 4;
    if (rows[at] === upper && rows[at + 1] === lower && rows[at + 2] === which) return rows[at + 3]!;
    rows[at] = upper;
    rows[at + 1] = lower;
    rows[at + 2] = which;
    return rows[at + 3] = rowOf(this.#tables[table]!, packet, fromSource) | 0;
  }

  #numberOf(table: ClientTable): number {
    const at = this.#tables.indexOf(table);
    return at >= 0 ? at : this.#tables.push(table) - 1;
  }
}

/** Whether addresses stand in an answer of which a pool had the order to choose. */
function hasOrder({ answer, additional, dependence: { pools } }: Answer): boolean {
  return pools !== undefined && (hasAddresses(answer) || hasAddresses(additional));
}

function hasAddresses(section: readonly RRset[]): boolean {
  for (const { type, rdata } of section) {
    if (rdata.length > 1 && (type === TYPE.A || type === TYPE.AAAA)) return true;
  }
  return false;
}

/** Whether a way is of replies that lack something for want of room. */
export function isBounded(way: number): boolean {
  return (way & BOUNDED) !== 0;
}

function rowOf(table: ClientTable, packet: Packet, fromSource: boolean): number {
  const words = packet.client(fromSource);
  return packet.clientIsIPv6(fromSource)
    ? rowOfIPv6(table[6], words[0]!, words[1]!)
    : rowOfIPv4(table[4], words[0]!);
}
