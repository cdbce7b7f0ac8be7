/**
 * Counters, each a name with labels, as Prometheus knows them.
 *
 * @module
 */

/** Counts by series: `name` or `name{label="value",…}`, labels in the order of their names. Plain data. */
export type Counts = Readonly<Record<string, number>>;

/** How many series there may be: labels that a client can choose must not fill the memory. */
const SERIES_MAX = 10_000;

/** Where what came beyond that is counted. */
export const OVERFLOW_SERIES = "meridian_counters_overflow_total";

/** Sums by series. One in every isolate; the control isolate's takes up what the others counted. */
export class Counters {
  #counts = new Map<string, number>();

  /** Adds `by` to a counter. */
  count(name: string, labels?: Readonly<Record<string, string>>, by = 1): void {
    this.#add(labels ? seriesOf(name, labels) : name, by);
  }

  /** Adds a sample to a histogram. */
  observe(name: string, value: number, labels?: Readonly<Record<string, string>>): void {
    this.count(`${name}_count`, labels);
    this.count(`${name}_sum`, labels, value);
  }

  /** Every count so far. */
  snapshot(): Counts {
    return Object.fromEntries(this.#counts);
  }

  /** Every count so far, and begins anew: what a worker sends from time to time. */
  take(): Counts {
    const counts = this.snapshot();
    this.#counts = new Map();
    return counts;
  }

  /** Adds what another isolate took. */
  merge(counts: Counts): void {
    for (const [series, value] of Object.entries(counts)) this.#add(series, value);
  }

  #add(series: string, by: number): void {
    const before = this.#counts.get(series);
    if (before === undefined && this.#counts.size >= SERIES_MAX && series !== OVERFLOW_SERIES) {
      this.#add(OVERFLOW_SERIES, by);
    } else {
      this.#counts.set(series, (before ?? 0) + by);
    }
  }
}

/** The text form of a name with labels, as in Prometheus's exposition format. */
export function seriesOf(name: string, labels: Readonly<Record<string, string>>): string {
  const pairs = Object.keys(labels).sort().map((label) => `${label}="${escapeLabel(labels[label]!)}"`);
  return pairs.length === 0 ? name : `${name}{${pairs.join(",")}}`;
}

function escapeLabel(value: string): string {
  return value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}
