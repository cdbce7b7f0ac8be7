/** Samples that are made once, for what is counted again and again. @module */

import type { Sample, Series } from "../../core/plugin.ts";

/** A sample of 1. */
export function one(series: Series): Sample {
  return { series, value: 1 };
}

/** Samples of a histogram of whole numbers: the usual ones are made once. */
export class Values {
  readonly #series: Series;
  readonly #usual: (Sample | undefined)[] = Array(USUAL).fill(undefined);

  constructor(series: Series) {
    this.#series = series;
  }

  of(value: number): Sample {
    if (value >= USUAL) return { series: this.#series, value };
    return this.#usual[value] ??= { series: this.#series, value };
  }
}

/** More than there are bits in an address, or octets in most messages. */
const USUAL = 1024;
