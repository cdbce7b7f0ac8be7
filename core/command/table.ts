/** Tables and spans of time for people. @module */

import type { TargetKey } from "../fleet/verdict.ts";
import { visibleLine } from "./visible.ts";

/** Rows under headings, columns padded, numbers to the right; two blanks between columns. A cell stays within its line. */
export function formatTable(headings: readonly string[], texts: readonly (readonly string[])[]): string {
  const rows = texts.map((row) => row.map(visibleLine));
  const widths = headings.map((heading, i) =>
    Math.max(heading.length, ...rows.map((row) => (row[i] ?? "").length))
  );
  const isNumeric = headings.map((_, i) =>
    rows.length > 0 && rows.every((row) => /^(-?\d[\d,]*(\.\d+)?( \S+)?)?$/.test(row[i] ?? ""))
  );
  const line = (cells: readonly string[]) =>
    cells.map((cell, i) => isNumeric[i] ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!)).join("  ")
      .trimEnd();
  return [line(headings), ...rows.map(line)].join("\n");
}

/** A target's check as the Corefile has it, without the address and without timing that is not the default. */
export function checkName(target: TargetKey, address: string): string {
  const check = target.startsWith(`${address} `) ? target.slice(address.length + 1) : target;
  return check.replace(/( \w+=\S+)+$/, "");
}

/** `3.4 s`, `2 min 5 s`, `3 h 10 min`, `12 d 4 h`. */
export function formatSpan(ms: number): string {
  if (ms === Infinity) return "never";
  const seconds = Math.max(0, ms) / 1000;
  if (seconds < 10) return `${seconds.toFixed(1)} s`;
  if (seconds < 60) return `${Math.round(seconds)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${Math.floor(seconds % 60)} s`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h ${Math.floor((seconds % 3600) / 60)} min`;
  return `${Math.floor(seconds / 86_400)} d ${Math.floor((seconds % 86_400) / 3600)} h`;
}
