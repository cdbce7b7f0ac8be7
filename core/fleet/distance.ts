/**
 * How far it is from one point of the earth to another, as decision 0001 counts it: along the great circle of a
 * sphere, in whole metres.
 *
 * @module
 */

/** The radius of the sphere, metres. */
export const EARTH_RADIUS_M = 6_371_000;

/** The greatest distance there is, metres: half way round. */
export const FARTHEST_M = Math.PI * EARTH_RADIUS_M;

/** A point by its degrees, north and east positive. */
export interface Point {
  readonly latitude: number;
  readonly longitude: number;
}

/** The same point as a vector of length 1 from the centre of the sphere. */
export interface Vector {
  readonly x: number;
  readonly y: number;
  readonly z: number;
}

const DEGREE = Math.PI / 180;

/** The unit vector of a point. */
export function vectorOf({ latitude, longitude }: Point): Vector {
  const across = Math.cos(latitude * DEGREE);
  return {
    x: across * Math.cos(longitude * DEGREE),
    y: across * Math.sin(longitude * DEGREE),
    z: Math.sin(latitude * DEGREE),
  };
}

/** The distance between two points, whole metres. */
export function metresBetween(a: Point, b: Point): number {
  return vectorMetres(vectorOf(a), vectorOf(b));
}

/**
 * The distance between two unit vectors, whole metres.
 *
 * Half the angle has |a − b| for its sine and |a + b| for its cosine (times two), and so keeps its precision at
 * every distance, where the arc cosine of the dot product has none left at zero and the haversine none at the
 * antipode.
 */
export function vectorMetres(a: Vector, b: Vector): number {
  const sum = (a.x + b.x) ** 2 + (a.y + b.y) ** 2 + (a.z + b.z) ** 2;
  return Math.round(2 * EARTH_RADIUS_M * Math.atan2(Math.sqrt(chordSquared(a, b)), Math.sqrt(sum)));
}

/** The square of the straight distance between two unit vectors, from 0 to 4: cheap, and it grows with the distance. */
export function chordSquared(a: Vector, b: Vector): number {
  const dx = a.x - b.x, dy = a.y - b.y, dz = a.z - b.z;
  return dx * dx + dy * dy + dz * dz;
}

/** What {@linkcode chordSquared} is at a distance in metres. */
export function chordSquaredAt(metres: number): number {
  return metres >= FARTHEST_M ? 4 : (2 * Math.sin(metres / (2 * EARTH_RADIUS_M))) ** 2;
}
