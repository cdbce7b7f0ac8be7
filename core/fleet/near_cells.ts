/**
 * Who may be among the nearest members of a pool, by where on earth one is: so that for each place few of them are looked
 * at. Whatever becomes of their health.
 *
 * @module
 */

import { chordSquared, type Vector } from "./distance.ts";

/** So many cells there are along each axis of the cube around the earth: one is 200 km wide. */
const CELLS = 64, WIDTH = 2 / CELLS;

/** From the middle of a cell to its corners. */
const RADIUS = WIDTH * Math.sqrt(3) / 2;

/** What chords may be off. */
const SLACK = 1e-9;

/** See the module. Cells are worked out when they are first asked for. */
export class NearCells {
  readonly #vectors: readonly Vector[];
  readonly #count: number;
  readonly #cells = new Map<number, readonly number[]>();

  /** @param count Of how many nearest. */
  constructor(vectors: readonly Vector[], count: number) {
    this.#vectors = vectors;
    this.#count = count;
  }

  /** How many cells have been worked out. */
  get size(): number {
    return this.#cells.size;
  }

  /** Indexes, ascending, of some members among whom the nearest to a point are, all that are equally far included. */
  around({ x, y, z }: Vector): readonly number[] {
    const i = cellOf(x), j = cellOf(y), k = cellOf(z), number = (i * CELLS + j) * CELLS + k;
    let found = this.#cells.get(number);
    if (!found) {
      found = this.#within({ x: middleOf(i), y: middleOf(j), z: middleOf(k) });
      this.#cells.set(number, found);
    }
    return found;
  }

  /**
   * From anywhere in a cell the last of the nearest is at most a radius farther than from its middle, and the middle at most
   * another one farther from that member.
   */
  #within(middle: Vector): readonly number[] {
    const chords = this.#vectors.map((vector) => Math.sqrt(chordSquared(middle, vector)));
    const last = Float64Array.from(chords).sort()[Math.min(this.#count, chords.length) - 1]!;
    return [...chords.keys()].filter((index) => chords[index]! <= last + 2 * RADIUS + SLACK);
  }
}

function cellOf(coordinate: number): number {
  return Math.max(0, Math.min(CELLS - 1, Math.floor((coordinate + 1) / WIDTH)));
}

function middleOf(cell: number): number {
  return (cell + 0.5) * WIDTH - 1;
}
