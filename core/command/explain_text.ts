/**
 * An explanation as text: the reply, each step in a line, and for every pool its nodes as a table.
 *
 * @module
 */

import type { Explanation } from "../explain.ts";
import type { ConsultedFacts, NodeFacts, PoolFacts } from "../fleet/facts.ts";
import type { Decision } from "../query.ts";
import { checkName, formatSpan, formatTable } from "./table.ts";

/** An explanation for people; it may have been JSON, in which an instant that never comes is null. */
export function formatExplanation(explanation: Explanation): string {
  const { question, client, rcode, scopePrefixLength, nowMs, dependence } = explanation;
  const scope = scopePrefixLength === undefined ? "" : `, scope /${scopePrefixLength}`;
  const deadline = dependence?.deadline;
  return [
    `${question} asked by ${client}: ${rcode}${scope}`,
    ...sectionLines(explanation),
    "",
    ...explanation.decisions.flatMap((decision) => decisionLines(decision, nowMs)),
    ...deadline && isInstant(deadline.earliestMs)
      ? [`could change at the earliest ${away(deadline.earliestMs, nowMs)}, ${unrest(deadline.steady)}`]
      : [],
  ].join("\n");
}

/** The answer's records; those of the other sections under their names. */
function sectionLines({ answer, authority, additional }: Explanation): string[] {
  const indented = (records: readonly string[]) => records.map((record) => `    ${record}`);
  const named = (name: string, records: readonly string[]) =>
    records.length > 0 ? [`  ${name}:`, ...indented(records)] : [];
  return [...indented(answer), ...named("authority", authority), ...named("additional", additional)];
}

function decisionLines({ plugin, what, facts }: Decision, nowMs: number): string[] {
  const lines = isPool(facts) ? poolLines(facts, nowMs) : [];
  return [`${plugin}: ${what}`, ...lines.map((line) => line && `    ${line}`)];
}

function isPool(facts: unknown): facts is PoolFacts {
  return typeof facts === "object" && facts !== null && "pool" in facts && "nodes" in facts &&
    "consulted" in facts;
}

function poolLines(facts: PoolFacts, nowMs: number): string[] {
  const { scope, nodes, consulted, leaf, regions = [], degraded = [], moved } = facts;
  const pools = new Set(nodes.map(({ pool }) => pool)).size;
  return [
    `client in ${leaf}; the answer holds for its /${scope.prefixLength} (${scope.from})`,
    ...regions.map(({ pool, region, decides }) =>
      decides
        ? `region ${region} has verdicts of its own on nodes of ${pool}, which decide`
        : `region ${region} would leave nobody of ${pool}: everyone's verdicts decide`
    ),
    ...degraded.length > 0
      ? [`degraded: ${degraded.join(", ")}; what their nodes cannot do goes elsewhere, by prices`]
      : [],
    ...moved ? [`moved by prices: ${moved.from} is ${Math.round(moved.addedKm)} km nearer`] : [],
    ...tableOf(nodes, nodeColumns(nodes, nowMs), pools > 1),
    ...changeLines(consulted, nowMs),
  ];
}

/** A column of a table: its heading, and the cell of a row. */
type Column<Row> = readonly [heading: string, cell: (row: Row) => string];

function nodeColumns(nodes: readonly NodeFacts[], nowMs: number): Column<NodeFacts>[] {
  // What is the same for all says nothing, as the score where no bias is set.
  const columnIf = (isTelling: boolean, ...column: Column<NodeFacts>) => isTelling ? [column] : [];
  return [
    ["RANK", ({ rank }) => `${rank}`],
    ["NODE", ({ id }) => id],
    ["ADDRESS", ({ address }) => address],
    ...columnIf(
      nodes.some(({ distanceKm }) => distanceKm !== undefined),
      "KM",
      ({ distanceKm }) => distanceKm === undefined ? "" : `${Math.round(distanceKm)}`,
    ),
    ...columnIf(
      nodes.some(({ priceKm }) => priceKm !== undefined),
      "PRICE KM",
      ({ priceKm }) => priceKm === undefined ? "" : `+${Math.round(priceKm)}`,
    ),
    ...columnIf(nodes.some(({ bonus }) => bonus), "SCORE", ({ score }) => score?.toFixed(3) ?? ""),
    ...columnIf(nodes.some(({ weight }) => weight !== 1), "WEIGHT", ({ weight }) => `${weight}`),
    ...columnIf(nodes.some(({ ramp }) => ramp < 1), "RAMP", ({ ramp }) => `${Math.round(ramp * 100)} %`),
    ["STATE", ({ state }) => state],
    ...columnIf(nodes.some(({ checks }) => checks.length > 0), "CHECKS", (node) => checksOf(node, nowMs)),
    ["CHOSEN", ({ chosen, whyNot }) => chosen > 0 ? `#${chosen}` : `no, ${whyNot}`],
  ];
}

/** `tcp 8443 down for 12 s: connection refused`. */
function checksOf({ address, checks }: NodeFacts, nowMs: number): string {
  return checks.map(({ target, state, sinceMs, reason, region, globally, regions = [] }) => {
    const whose = region === undefined ? "" : `by region ${region}: `;
    const span = sinceMs === undefined ? "" : ` for ${formatSpan(nowMs - sinceMs)}`;
    const because = reason && state !== "up" ? `: ${reason}` : "";
    const others = globally
      ? [`globally ${globally}`]
      : regions.map((own) => `by region ${own.region} ${own.state}`);
    return [`${whose}${checkName(target, address)} ${state ?? "unknown"}${span}${because}`, ...others].join(
      ", ",
    );
  }).join("; ");
}

/** What of each node consulted could change, and when; without those that never do. */
function changeLines(consulted: readonly ConsultedFacts[], nowMs: number): string[] {
  const rows = consulted.flatMap((one) => changesOf(one).map((change) => ({ ...one, ...change })))
    .filter(({ atMs }) => isInstant(atMs)).sort((a, b) => a.atMs - b.atMs);
  return tableOf(rows, [
    ["CONSULTED", ({ node, region }) => region === undefined ? node : `${node} by region ${region}`],
    ["COULD", ({ what }) => what],
    ["AT THE EARLIEST", ({ atMs }) => away(atMs, nowMs)],
    ["SO FAR", ({ steady }) => unrest(steady)],
  ], new Set(rows.map(({ pool }) => pool)).size > 1);
}

function changesOf(one: ConsultedFacts): { what: string; atMs: number }[] {
  const looks: Readonly<Record<string, [what: string, atMs: number]>> = {
    down: ["go down", one.downMs],
    threshold: ["go down", one.downMs],
    up: ["come up", one.upMs],
    change: ["change", one.changeMs],
    ramp: ["take its next ramp step", one.rampMs],
  };
  const found = one.for.flatMap((look) => looks[look] ? [looks[look]] : []);
  return [...found, ["come or go by its calendar", one.nextScheduleMs] as const]
    .map(([what, atMs]) => ({ what, atMs }));
}

/** The rows as lines, with the pool in front where there are several; nothing without rows. */
function tableOf<Row extends { readonly pool: string }>(
  rows: readonly Row[],
  columns: readonly Column<Row>[],
  severalPools: boolean,
): string[] {
  if (rows.length === 0) return [];
  const all: readonly Column<Row>[] = severalPools ? [["POOL", ({ pool }) => pool], ...columns] : columns;
  const table = formatTable(
    all.map(([heading]) => heading),
    rows.map((row) => all.map(([, cell]) => cell(row))),
  );
  return ["", ...table.split("\n")];
}

function isInstant(ms: number | null): ms is number {
  return ms !== null && Number.isFinite(ms);
}

function away(atMs: number, nowMs: number): string {
  return atMs <= nowMs ? "now" : `in ${formatSpan(atMs - nowMs)}`;
}

function unrest(steady: boolean): string {
  return steady ? "steady" : "under way";
}
