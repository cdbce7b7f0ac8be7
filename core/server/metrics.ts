/**
 * What the server counts and measures, as Prometheus knows it: counters, gauges, histograms, told apart by labels.
 *
 * One registry in every isolate, and the control isolate's shows what all have counted. What is counted lies in cells of
 * shared memory, so that a worker only tells which series lies where; nobody asks it for news, and what it counted
 * outlives it.
 *
 *     worker                                     control isolate
 *     series -- place of each new one --> attach().place()
 *     cells  == shared memory ==========> read when metrics are
 *
 * @module
 */

import type { Labels, Metric, Series } from "../plugin.ts";
import { bindSeries, widthOf } from "./bound_series.ts";

/** Numbers by series: `name` or `name{label="value",…}`. Plain data. */
export type Counts = Readonly<Record<string, number>>;

/** A series and where its cells begin: what a worker tells. Plain data. */
export interface Place {
  readonly name: string;
  readonly labels: Labels;
  readonly at: number;
}

/** A metric with all its series, to be read. */
export interface Family extends Metric {
  readonly name: string;
  readonly labels: readonly string[];
  readonly series: readonly ReadSeries[];
}

/** A series to be read: one number, or of a histogram the samples in each bucket, past the last, and their sum. */
export interface ReadSeries {
  readonly values: readonly string[];
  readonly cells: readonly number[];
}

/** Another isolate's cells. */
export interface Attached {
  place(place: Place): void;
  /** Takes up what they hold for good. */
  detach(): void;
}

/** How many series a metric may have: labels that a stranger can choose must not fill the memory. */
const SERIES_MAX = 5000;

/** Eight octets each; memory is used only where something is written. */
const CELLS_MAX = 1 << 17;

/** Counts what found no room, by metric. */
export const OVERFLOW = "meridian_metrics_overflow_total";

/** A registry. */
export class Metrics {
  /** To hand to another isolate's {@linkcode Metrics.attach}. */
  readonly buffer = new SharedArrayBuffer(CELLS_MAX * Float64Array.BYTES_PER_ELEMENT);
  readonly #cells = new Float64Array(this.buffer);
  readonly #families = new Map<string, Kept>();
  readonly #placed: (place: Place) => void;
  readonly #scrapes = new Set<() => void>();
  readonly #free = new Map<number, number[]>();
  #used = 0;

  /** `placed` hears of each new series. */
  constructor(declared: Readonly<Record<string, Metric>> = {}, placed: (place: Place) => void = () => {}) {
    this.#placed = placed;
    this.declare({ [OVERFLOW]: OVERFLOW_METRIC, ...declared });
  }

  /**
   * Makes metrics known. A counter that has no labels is there from the start, at 0. One that was declared otherwise, as
   * by a plugin before a reload, begins anew.
   */
  declare(metrics: Readonly<Record<string, Metric>>): void {
    for (const [name, metric] of Object.entries(metrics)) {
      const old = this.#families.get(name);
      if (old && shapeOf(old) === shapeOf(metric)) continue;
      this.#families.set(name, { ...metric, labels: metric.labels ?? [], series: new Map() });
      if (metric.kind === "counter" && !metric.labels?.length) this.series(name);
    }
  }

  /** Adds to a counter. */
  count(name: string, labels?: Labels, by = 1): void {
    this.series(name, labels).record(by);
  }

  /** Adds a sample to a histogram. */
  observe(name: string, value: number, labels?: Labels): void {
    this.series(name, labels).record(value);
  }

  /**
   * Sets a gauge, or a counter that somebody else keeps; undefined takes the series away. Who set it last is its `owner`.
   */
  gauge(name: string, value: number | undefined, labels: Labels = {}, owner?: object): void {
    if (value === undefined) return this.#remove(name, labels);
    this.series(name, labels);
    const kept = this.#find(name, labels);
    if (!kept) return;
    kept.own.cells[kept.own.at] = value;
    kept.owner = owner;
  }

  /** Takes away the gauges that `owner` set last. */
  removeGauges(owner: object): void {
    for (const family of this.#families.values()) {
      for (const [key, series] of family.series) {
        if (series.owner === owner) this.#drop(family, key, series);
      }
    }
  }

  /** Binds a series. One for which there is no room counts as {@linkcode OVERFLOW}. */
  series(name: string, labels: Labels = {}): Series {
    const family = this.#familyOf(name, labels);
    const kept = family.series.get(keyOf(family, labels)) ?? this.#add(name, family, labels);
    if (kept) return kept.bound;
    const overflow = this.series(OVERFLOW, { metric: name });
    return { record: (by) => overflow.record(family.kind === "counter" ? by : 1) };
  }

  /** Calls back just before metrics are read; the function that comes back ends that. */
  onScrape(callback: () => void): () => void {
    this.#scrapes.add(callback);
    return () => void this.#scrapes.delete(callback);
  }

  /** Takes in another isolate's cells. */
  attach(buffer: SharedArrayBuffer): Attached {
    const cells = new Float64Array(buffer);
    const taken: { kept: KeptSeries; source: Source }[] = [];
    return {
      place: ({ name, labels, at }) => {
        const family = this.#familyOf(name, labels);
        const kept = family.series.get(keyOf(family, labels)) ?? this.#add(name, family, labels);
        if (!kept) return;
        const source = { cells, at };
        kept.others.push(source);
        taken.push({ kept, source });
      },
      detach: () => {
        for (const { kept, source } of taken.splice(0)) {
          kept.others.splice(kept.others.indexOf(source), 1);
          for (let i = 0; i < kept.width; i++) kept.own.cells[kept.own.at + i]! += cells[source.at + i]!;
        }
      },
    };
  }

  /** Every metric that has a series, by name, as of now. */
  read(): Family[] {
    for (const callback of this.#scrapes) callback();
    return [...this.#families].filter(([, { series }]) => series.size > 0)
      .sort(([a], [b]) => a < b ? -1 : 1)
      .map(([name, family]) => ({
        ...family,
        name,
        series: [...family.series.values()].map((series) => ({
          values: series.values,
          cells: Array.from({ length: series.width }, (_, i) => sumOf(series, i)),
        })),
      }));
  }

  /** What has been counted so far: counters, and of histograms how many samples. Gauges are left out. */
  snapshot(): Counts {
    const counts: Record<string, number> = {};
    for (const [name, { kind, labels, series }] of this.#families) {
      if (kind === "gauge") continue;
      const shown = kind === "histogram" ? `${name}_count` : name;
      for (const one of series.values()) {
        let sum = 0;
        for (let i = 0; i < Math.max(1, one.width - 1); i++) sum += sumOf(one, i);
        if (sum > 0) counts[seriesText(shown, labels, one.values)] = sum;
      }
    }
    return counts;
  }

  /** What nobody declared is kept all the same, under the labels that it first came with. */
  #familyOf(name: string, labels: Labels): Kept {
    const family = this.#families.get(name);
    if (family) return family;
    const made: Kept = {
      kind: "counter",
      help: "Not declared.",
      labels: Object.keys(labels).sort(),
      series: new Map(),
    };
    this.#families.set(name, made);
    return made;
  }

  #find(name: string, labels: Labels): KeptSeries | undefined {
    const family = this.#families.get(name);
    return family?.series.get(keyOf(family, labels));
  }

  #add(name: string, family: Kept, labels: Labels): KeptSeries | undefined {
    if (family.series.size >= SERIES_MAX && name !== OVERFLOW) return undefined;
    const width = widthOf(family);
    const at = this.#allot(width, name);
    if (at === undefined) return undefined;
    const kept: KeptSeries = {
      values: family.labels.map((label) => labels[label] ?? ""),
      width,
      own: { cells: this.#cells, at },
      others: [],
      bound: bindSeries(family, this.#cells, at),
      owner: undefined,
    };
    family.series.set(keyOf(family, labels), kept);
    this.#placed({ name, labels, at });
    return kept;
  }

  /** Some cells are kept for saying that the others are used up. */
  #allot(width: number, name: string): number | undefined {
    const freed = this.#free.get(width)?.pop();
    if (freed !== undefined) return freed;
    if (this.#used + width > CELLS_MAX - (name === OVERFLOW ? 0 : 1024)) return undefined;
    const at = this.#used;
    this.#used += width;
    return at;
  }

  #remove(name: string, labels: Labels): void {
    const family = this.#families.get(name);
    const key = family && keyOf(family, labels);
    const kept = family?.series.get(key!);
    if (kept) this.#drop(family!, key!, kept);
  }

  /** Only gauges are ever removed, and these no worker has. */
  #drop(family: Kept, key: string, { own, width }: KeptSeries): void {
    family.series.delete(key);
    this.#cells.fill(0, own.at, own.at + width);
    let free = this.#free.get(width);
    if (!free) this.#free.set(width, free = []);
    free.push(own.at);
  }
}

/** The text form of a series, labels in the order of their names. */
function seriesText(name: string, labels: readonly string[], values: readonly string[]): string {
  const order = labels.map((_, i) => i).sort((a, b) => labels[a]! < labels[b]! ? -1 : 1);
  return formatSeries(name, order.map((i) => labels[i]!), order.map((i) => values[i]!));
}

/** The text form of a series. */
export function formatSeries(name: string, labels: readonly string[], values: readonly string[]): string {
  if (labels.length === 0) return name;
  return `${name}{${labels.map((label, i) => `${label}="${escapeLabel(values[i]!)}"`).join(",")}}`;
}

function escapeLabel(value: string): string {
  return value.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
}

const OVERFLOW_METRIC: Metric = {
  kind: "counter",
  help: "What was counted under labels for which there was no room.",
  labels: ["metric"],
};

/** A metric with its series, by their values. */
interface Kept extends Metric {
  readonly labels: readonly string[];
  readonly series: Map<string, KeptSeries>;
}

interface KeptSeries {
  readonly values: readonly string[];
  /** How many cells it has. */
  readonly width: number;
  readonly own: Source;
  readonly others: Source[];
  readonly bound: Series;
  /** Who set the gauge. */
  owner: object | undefined;
}

/**
 * Where some isolate counts. A cell is written by one isolate only, and eight aligned octets are read and written as one
 * on every machine that Deno runs on.
 */
interface Source {
  readonly cells: Float64Array;
  readonly at: number;
}

/** What series and cells depend on. */
function shapeOf({ kind, labels = [], buckets = [] }: Metric): string {
  return `${kind} ${labels} ${buckets}`;
}

function keyOf({ labels }: Kept, given: Labels): string {
  if (labels.length === 0) return "";
  if (labels.length === 1) return given[labels[0]!] ?? "";
  return labels.map((label) => given[label] ?? "").join("\0");
}

function sumOf({ own, others }: KeptSeries, i: number): number {
  let sum = own.cells[own.at + i]!;
  for (const { cells, at } of others) sum += cells[at + i]!;
  return sum;
}
