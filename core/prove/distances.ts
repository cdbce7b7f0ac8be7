/**
 * How far every place is from every node, by another formula than the server's.
 *
 * @module
 */

/** A point by its degrees, north and east positive. */
interface Point {
  readonly latitude: number;
  readonly longitude: number;
}

/** Measured when first asked for, a place at a time. */
export class Distances {
  /**
   * Place by place, node by node: whole metres and 1, or 0 where nobody has measured yet. In shared memory: workers that
   * measure the same find the same.
   */
  readonly cells: Uint32Array;
  readonly #stations: readonly Station[];
  readonly #pointOf: (place: number) => Point;

  constructor(
    nodes: readonly Point[],
    pointOf: (place: number) => Point,
    places: number,
    cells: Uint32Array = new Uint32Array(new SharedArrayBuffer(4 * places * nodes.length)),
  ) {
    this.cells = cells;
    this.#stations = nodes.map(stationOf);
    this.#pointOf = pointOf;
  }

  /** Where the cells of a place begin, once they are measured. */
  row(place: number): number {
    const { length } = this.#stations, first = place * length;
    // The last is stored when the others are: whoever sees it, in whatever worker, sees them.
    if (length > 0 && Atomics.load(this.cells, first + length - 1) === 0) this.#measure(place, first);
    return first;
  }

  /** Whole metres from a place to a node. */
  metres(place: number, node: number): number {
    return this.cells[this.row(place) + node]! - 1;
  }

  #measure(place: number, first: number): void {
    const from = stationOf(this.#pointOf(place)), stations = this.#stations, last = stations.length - 1;
    for (let i = 0; i < last; i++) this.cells[first + i] = sphereMetres(from, stations[i]!) + 1;
    Atomics.store(this.cells, first + last, sphereMetres(from, stations[last]!) + 1);
  }
}

/** A point as the sines and cosines of its degrees: a latitude's and a longitude's. */
interface Station {
  readonly sin: number;
  readonly cos: number;
  readonly sinLongitude: number;
  readonly cosLongitude: number;
}

function stationOf({ latitude, longitude }: Point): Station {
  const up = latitude * Math.PI / 180, east = longitude * Math.PI / 180;
  return {
    sin: Math.sin(up),
    cos: Math.cos(up),
    sinLongitude: Math.sin(east),
    cosLongitude: Math.cos(east),
  };
}

/** Whole metres along a sphere of 6371 km, by the atan2 form, exact at every distance. */
function sphereMetres(a: Station, b: Station): number {
  const cosTurn = a.cosLongitude * b.cosLongitude + a.sinLongitude * b.sinLongitude;
  const sinTurn = a.cosLongitude * b.sinLongitude - a.sinLongitude * b.cosLongitude;
  const east = b.cos * sinTurn, north = a.cos * b.sin - a.sin * b.cos * cosTurn;
  return Math.round(
    6_371_000 * Math.atan2(Math.sqrt(east * east + north * north), a.sin * b.sin + a.cos * b.cos * cosTurn),
  );
}
