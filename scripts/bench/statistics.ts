/** What many measurements come to. @module */

/** The middle of several measurements, and how far they went. */
export interface Summary {
  readonly median: number;
  readonly min: number;
  readonly max: number;
}

/** @throws {RangeError} When there is nothing to sum up. */
export function summarize(values: readonly number[]): Summary {
  const sorted = values.toSorted((a, b) => a - b);
  return { median: medianOf(values), min: sorted[0]!, max: sorted.at(-1)! };
}

/** The middle value; of an even number of values, between the middle two. @throws {RangeError} When there is none. */
export function medianOf(values: readonly number[]): number {
  if (values.length === 0) throw new RangeError("Cannot sum up no values");
  const sorted = values.toSorted((a, b) => a - b), middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}

/** The least value that at least the share `share` of the values does not exceed; NaN of none. */
export function percentile(ascending: ArrayLike<number>, share: number): number {
  return ascending[Math.max(0, Math.ceil(share * ascending.length) - 1)] ?? NaN;
}

/** A ratio, and the interval that holds it with 90 % confidence. */
export interface Ratio {
  readonly ratio: number;
  readonly low: number;
  readonly high: number;
}

const RESAMPLES = 1000;

/**
 * The ratio of what two series of rounds come to, with its bootstrap interval: rounds are drawn again and again, of both
 * series the same, since what disturbs a round disturbs both.
 *
 * @param figureOf What rounds come to, as {@linkcode medianOf} for numbers.
 */
export function ratioOf<T>(
  ours: readonly T[],
  theirs: readonly T[],
  figureOf: (rounds: readonly T[]) => number,
): Ratio {
  const count = Math.min(ours.length, theirs.length), random = randomNumbers();
  const ratios = Array.from({ length: RESAMPLES }, () => {
    const drawn = Array.from({ length: count }, () => Math.floor(random() * count));
    return figureOf(drawn.map((i) => ours[i]!)) / figureOf(drawn.map((i) => theirs[i]!));
  }).sort((a, b) => a - b);
  return {
    ratio: figureOf(ours) / figureOf(theirs),
    low: percentile(ratios, 0.05),
    high: percentile(ratios, 0.95),
  };
}

/** From 0 to 1, the same ones every time, so that the same rounds give the same interval. */
function randomNumbers(): () => number {
  let state = 1;
  return () => {
    state = Math.imul(state, 1664525) + 1013904223 >>> 0;
    return state / 2 ** 32;
  };
}

/** Latencies by logarithmic bins, as the generators count them: [bin, count]. */
export type Bins = readonly (readonly [number, number])[];

/** Bins to a doubling. */
const BINS_OF_DOUBLING = 64;

/** The bin of a latency in nanoseconds. */
export function binOf(ns: number): number {
  const exponent = ns < BINS_OF_DOUBLING ? 0 : Math.floor(Math.log2(ns)) - 5;
  return exponent * BINS_OF_DOUBLING + Math.floor(ns / 2 ** exponent) % BINS_OF_DOUBLING;
}

/** The least latency of a bin, in nanoseconds. */
export function latencyOf(bin: number): number {
  const exponent = Math.floor(bin / BINS_OF_DOUBLING);
  return bin % BINS_OF_DOUBLING * 2 ** exponent;
}

/** A percentile of several rounds' latencies taken together, in nanoseconds. */
export function binsPercentile(rounds: readonly Bins[], share: number): number {
  const counts = new Map<number, number>();
  for (const bins of rounds) for (const [bin, count] of bins) counts.set(bin, (counts.get(bin) ?? 0) + count);
  const ascending = [...counts].map(([bin, count]) => [latencyOf(bin), count] as const).sort((a, b) =>
    a[0] - b[0]
  );
  let rest = share * ascending.reduce((sum, [, count]) => sum + count, 0);
  for (const [latency, count] of ascending) if ((rest -= count) <= 0) return latency;
  return NaN;
}
