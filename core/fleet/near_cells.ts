/**
 * Who may be among the nearest members of a pool, by where on earth one is: so that for each place few of them are looked
 * at. Whatever becomes of their health.
 *
 * @module
 */

import type { Vector } from "./distance.ts";

/** So many cells there are along each axis of the cube around the earth: one is 200 km wide. */
const CELLS = 64, WIDTH = 2 / CELLS;

/** From the middle of a cell to its corners. */
const RADIUS = WIDTH * Math.sqrt(3) / 2;

/** What chords may be off. */
const SLACK = 1e-9;

/** See the module. Cells are worked out when they are first asked for. */
export class NearCells {
  readonly #vectors: readonly Vector[];
  /** Room for the squares of chords: of all, and of the nearest, ascending. */
  readonly #chords: Float64Array;
  readonly #least: Float64Array;
  readonly #cells = new Map<number, readonly number[]>();

  /** @param count Of how many nearest. */
  constructor(vectors: readonly Vector[], count: number) {
    this.#vectors = vectors;
    this.#chords = new Float64Array(vectors.length);
    this.#least = new Float64Array(Math.min(count, vectors.length));
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
      this.#cells.set(number, found = this.#within({ x: middleOf(i), y: middleOf(j), z: middleOf(k) }));
    }
    return found;
  }

  /**
   * From anywhere in a cell the last of the nearest is at most a radius farther than from its middle, and the middle at most
   * another one farther from that member.
   */
  #within({ x, y, z }: Vector): readonly number[] {
    const chords = this.#chords, least = this.#least.fill(Infinity), last = least.length - 1;
    for (let index = 0; index < chords.length; index++) {
      const vector = this.#vectors[index]!, dx = vector.x - x, dy = vector.y - y, dz = vector.z - z;
      const chord = chords[index] = dx * dx + dy * dy + dz * dz;
      if (chord >= least[last]!) continue;
      let at = last;
      for (; at > 0 && least[at - 1]! > chord; at--) least[at] = least[at - 1]!;
      least[at] = chord;
    }
    const most = (Math.sqrt(least[last]!) + 2 * RADIUS + SLACK) ** 2, found: number[] = [];
    for (let index = 0; index < chords.length; index++) if (chords[index]! <= most) found.push(index);
    return found;
  }
}

function cellOf(coordinate: number): number {
  return Math.max(0, Math.min(CELLS - 1, Math.floor((coordinate + 1) / WIDTH)));
}

function middleOf(cell: number): number {
  return (cell + 0.5) * WIDTH - 1;
}
