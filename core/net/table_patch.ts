/**
 * A network table of which some networks are replaced: what stays is copied, by whole groups where it can be. So a small
 * change of a table of millions costs little more than its octets' copying.
 *
 * Where a group is not filled by what comes before the next that is copied, some of its networks are cut in two: entries
 * need not be the fewest then. Where they are replaced later, they are joined again.
 *
 * @module
 */

import { familyBits } from "./address.ts";
import { GROUP_BITS, NetworkCursor, type NetworkTable } from "./network_table.ts";
import { isUpperHalf } from "./table_algebra.ts";
import { type TableBuilder, tableBuilder } from "./table_builder.ts";

/** See the module. Front to back: keeps, puts and skips what together cover the space. */
export class TablePatch {
  readonly #table: NetworkTable;
  readonly #cursor: NetworkCursor;
  readonly #builder: TableBuilder;
  readonly #joiner: Joiner;
  /** The first entry of the table of which nobody has said what becomes of it. */
  #at = 0;

  constructor(table: NetworkTable) {
    this.#table = table;
    this.#cursor = new NetworkCursor(table);
    this.#builder = tableBuilder(table.family);
    this.#joiner = new Joiner(this.#builder);
  }

  /** Keeps the entries up to `entry`, itself not. */
  keepTo(entry: number): void {
    // The last group may have fewer entries.
    const copyable = Math.min(entry >>> GROUP_BITS, this.#table.offsets.length - 1);
    while (this.#at < entry) {
      const group = this.#at >>> GROUP_BITS;
      if (group << GROUP_BITS === this.#at && group < copyable && this.#fill()) {
        this.#builder.appendGroups(this.#table, group, copyable);
        this.#at = copyable << GROUP_BITS;
      } else {
        this.#keepOneByOne(Math.min(entry, group + 1 << GROUP_BITS));
      }
    }
  }

  /** The next network, in place of what will be skipped. @param start Its first address, in words. */
  put(start: Uint32Array, length: number, value: number): void {
    this.#joiner.take(start, length, value);
  }

  /** Leaves out the entries up to `entry`, itself not. */
  skipTo(entry: number): void {
    this.#at = entry;
  }

  /** The table, what is left being kept. @throws {RangeError} When what was put is not where what was skipped had been. */
  finish(): NetworkTable {
    this.keepTo(this.#table.count);
    this.#joiner.flush();
    return this.#builder.finish();
  }

  #fill(): boolean {
    this.#joiner.flush();
    return this.#builder.fillGroup();
  }

  /** Up to an entry of the same group, or the first of the next. */
  #keepOneByOne(entry: number): void {
    const cursor = this.#cursor, joiner = this.#joiner;
    cursor.moveTo(this.#at);
    for (;; cursor.next()) {
      joiner.take(cursor.start, cursor.length, cursor.value);
      if (++this.#at === entry) return;
    }
  }
}

/** Hands siblings of one value on as their parent, as far as that goes. */
class Joiner {
  readonly #builder: TableBuilder;
  /** Lower halves that wait for an upper one, each within the upper half of the one before it. */
  readonly #lengths: Uint8Array;
  readonly #values: Float64Array;
  #waiting = 0;

  constructor(builder: TableBuilder) {
    const bits = familyBits(builder.family);
    this.#builder = builder;
    this.#lengths = new Uint8Array(bits + 1);
    this.#values = new Float64Array(bits + 1);
  }

  take(start: Uint32Array, length: number, value: number): void {
    const lengths = this.#lengths, values = this.#values;
    let waiting = this.#waiting;
    while (
      waiting > 0 && lengths[waiting - 1] === length && values[waiting - 1] === value &&
      isUpperHalf(start, length)
    ) {
      length--;
      waiting--;
    }
    lengths[waiting] = length;
    values[waiting] = value;
    this.#waiting = waiting + 1;
    if (length === 0 || isUpperHalf(start, length)) this.flush();
  }

  flush(): void {
    for (let i = 0; i < this.#waiting; i++) this.#builder.append(this.#lengths[i]!, this.#values[i]!);
    this.#waiting = 0;
  }
}
