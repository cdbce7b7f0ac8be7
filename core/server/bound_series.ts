/**
 * Series over cells: what is done at every query, so nothing here allocates.
 *
 * @module
 */

import type { Metric, Series } from "../plugin.ts";

/** How many cells a series has: of a histogram one for each bucket, one past the last, and one for the sum. */
export function widthOf({ kind, buckets = [] }: Metric): number {
  return kind === "histogram" ? buckets.length + 2 : 1;
}

/** Binds a series to its cells, the first of which is at `at`. */
export function bindSeries({ kind, buckets = [] }: Metric, cells: Float64Array, at: number): Series {
  switch (kind) {
    case "counter":
      return new BoundCounter(cells, at);
    case "gauge":
      return { record: (value) => void (cells[at] = value) };
    case "histogram":
      return new BoundHistogram(cells, at, buckets);
  }
}

class BoundCounter implements Series {
  readonly #cells: Float64Array;
  readonly #at: number;

  constructor(cells: Float64Array, at: number) {
    this.#cells = cells;
    this.#at = at;
  }

  record(by: number, times = 1): void {
    this.#cells[this.#at]! += by * times;
  }
}

class BoundHistogram implements Series {
  readonly #cells: Float64Array;
  readonly #at: number;
  readonly #bounds: Float64Array;

  constructor(cells: Float64Array, at: number, bounds: readonly number[]) {
    this.#cells = cells;
    this.#at = at;
    this.#bounds = Float64Array.from(bounds);
  }

  record(value: number, times = 1): void {
    const bounds = this.#bounds;
    let bucket = 0;
    while (bucket < bounds.length && value > bounds[bucket]!) bucket++;
    this.#cells[this.#at + bucket]! += times;
    this.#cells[this.#at + bounds.length + 1]! += value * times;
  }
}
