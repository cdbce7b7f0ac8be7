/**
 * Prometheus's text format, version 0.0.4.
 *
 * @module
 */

import { type Family, formatSeries, type ReadSeries } from "./metrics.ts";

/** The media type of {@linkcode formatMetrics}. */
export const EXPOSITION_TYPE = "text/plain; version=0.0.4; charset=utf-8";

/** Metrics as a scraper reads them. */
export function formatMetrics(families: readonly Family[]): string {
  return families.map(formatFamily).join("");
}

function formatFamily(family: Family): string {
  const { name, kind, help, labels, series } = family;
  const lines = [`# HELP ${name} ${escapeHelp(help)}`, `# TYPE ${name} ${kind}`];
  for (const one of series) {
    if (kind === "histogram") lines.push(...histogramLines(family, one));
    else lines.push(`${formatSeries(name, labels, one.values)} ${formatNumber(one.cells[0]!)}`);
  }
  return lines.join("\n") + "\n";
}

/** Each bucket has what lies in those below it, too. */
function histogramLines({ name, labels, buckets = [] }: Family, { values, cells }: ReadSeries): string[] {
  let count = 0;
  const withBound = [...labels, "le"];
  const lines = [...buckets, Infinity].map((bound, i) => {
    count += cells[i]!;
    return `${formatSeries(`${name}_bucket`, withBound, [...values, formatNumber(bound)])} ${count}`;
  });
  return [
    ...lines,
    `${formatSeries(`${name}_sum`, labels, values)} ${formatNumber(cells.at(-1)!)}`,
    `${formatSeries(`${name}_count`, labels, values)} ${count}`,
  ];
}

function formatNumber(value: number): string {
  if (value === Infinity) return "+Inf";
  return value === -Infinity ? "-Inf" : String(value);
}

function escapeHelp(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
}
