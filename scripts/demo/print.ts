/**
 * How the show is told: paragraphs, tables, colour on a terminal, and time to read.
 *
 * @module
 */

import { formatTable } from "../../core/command/table.ts";
import { NODE_CITIES } from "./clients.ts";
import type { Told } from "./stage.ts";
import type { Span } from "./watch.ts";

const isColoured = Deno.stdout.isTerminal() && !Deno.noColor;

/** Strong text. */
export function bold(text: string): string {
  return isColoured ? `\x1b[1m${text}\x1b[0m` : text;
}

/** Text about something that changed. */
export function yellow(text: string): string {
  return isColoured ? `\x1b[33m${text}\x1b[0m` : text;
}

/** What every client is told now. */
export function toldTable(all: readonly Told[]): string {
  return indent(formatTable(
    ["client", "network", "nearest", "km", "then", "km", "TTL", "scope"],
    all.map(({ client, nodes: [first, second], ttl, scopePrefixLength }) => [
      client.city,
      client.network,
      cityOf(first?.id),
      `${first?.km ?? ""}`,
      cityOf(second?.id),
      `${second?.km ?? ""}`,
      `${ttl}`,
      `/${scopePrefixLength}`,
    ]),
  ));
}

/** Those who are told something else than before; and how many are not. */
export function movedTable(before: readonly Told[], now: readonly Told[]): string {
  const rows = now.flatMap((told, i) => {
    const old = before[i]!;
    if (idsOf(told) === idsOf(old)) return [];
    return [[told.client.city, citiesWithKm(old), "→", citiesWithKm(told), `TTL ${told.ttl}`]];
  });
  if (rows.length === 0) return indent("All clients are told what they were told at first.");
  const table = formatTable(["client", "was told", "", "is told", ""], rows);
  const stayed = now.length - rows.length;
  return indent(`${table}\n${rows.length} of ${now.length} clients moved, ${stayed} keep what they had.`);
}

/** A line for each span: when it began, which nodes, and the TTLs that came with them. */
export function timeline(spans: readonly Span[]): string {
  const rows = spans.map(({ fromMs, nodes, ttls }) => [
    `${(fromMs / 1000).toFixed(1)} s`,
    nodes.map(cityOf).join(", "),
    `TTL ${ttls.join(", then ")}`,
  ]);
  return indent(formatTable(["after", "Berlin is told", ""], rows));
}

/** A node's city. */
export function cityOf(id: string | undefined): string {
  return id === undefined ? "-" : NODE_CITIES[id] ?? id;
}

function citiesWithKm({ nodes }: Told): string {
  return nodes.map(({ id, km }) => `${cityOf(id)} ${km} km`).join(", ");
}

function idsOf({ nodes }: Told): string {
  return nodes.map(({ id }) => id).join();
}

function indent(text: string): string {
  return text.replaceAll(/^/gm, "  ");
}
