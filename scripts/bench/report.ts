/** Rows as a table for people. @module */

import { formatTable } from "../../core/command/table.ts";
import type { Row } from "./verdicts.ts";

const HEADINGS = ["workload", "server", "figures", "Meridian is", "90 % of draws", "wanted", "", ""];

/** One line a row. */
export function formatRows(rows: readonly Row[]): string {
  return formatTable(HEADINGS, rows.map(cellsOf));
}

function cellsOf({ workload, server, figures, ratio, floor, outcome, note }: Row): string[] {
  return [
    workload,
    server,
    Object.entries(figures).map(([name, value]) => formatFigure(name, value)).join(", "),
    ratio ? `${ratio.ratio.toFixed(2)}×` : "",
    ratio ? `${ratio.low.toFixed(2)}–${ratio.high.toFixed(2)}` : "",
    floor === undefined ? "" : String(floor),
    outcome ?? "",
    note ?? "",
  ];
}

const UNITS: Readonly<Record<string, string>> = {
  cpuUs: "µs CPU",
  perSecond: "/s",
  p50Us: "µs p50",
  p99Us: "p99",
  p999Us: "p99.9",
  sent: "sent",
  lost: "lost",
};

function formatFigure(name: string, value: number): string {
  const digits = name === "perSecond" || value >= 1000 ? 0 : value >= 100 ? 1 : 2;
  const shown = value.toLocaleString("en", {
    minimumFractionDigits: Number.isInteger(value) ? 0 : digits,
    maximumFractionDigits: digits,
  });
  return `${shown} ${UNITS[name] ?? name}`;
}

/** How many of the judged rows passed. */
export function tally(rows: readonly Row[]): string {
  const judged = rows.filter(({ outcome }) => outcome !== undefined);
  const passed = judged.filter(({ outcome }) => outcome === "pass").length;
  return `${passed} of ${judged.length} floors hold`;
}

/** The same for a page: Markdown. */
export function markdownRows(rows: readonly Row[]): string {
  const lines = rows.map((row) => {
    const [workload, server, figures, ratio, draws, floor, outcome, note] = cellsOf(row);
    const interval = ratio ? `${ratio} (${draws})` : "";
    return `| ${[workload, server, figures, interval, floor, outcome, note].join(" | ")} |`;
  });
  const headings = ["workload", "server", "figures", "Meridian is", "wanted", "", ""];
  return [`| ${headings.join(" | ")} |`, `|${" --- |".repeat(headings.length)}`, ...lines].join("\n");
}
