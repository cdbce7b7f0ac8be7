/**
 * The load generator, a process of its own: a job a line on standard input, figures a line on standard output.
 *
 * @module
 */

import { linesOf } from "./lines.ts";
import { type LoadFigures, type PacedFigures, paceLoad, pushLoad } from "./load.ts";
import { type Expected, type LoadName, makeQueries } from "./queries.ts";

/** One piece of work. */
export interface Job {
  readonly port: number;
  readonly load: LoadName;
  readonly expected: Expected;
  readonly seed: number;
  readonly seconds: number;
  readonly sockets: number;
  /** Closed loop: queries without reply. */
  readonly window?: number;
  /** Open loop: queries a second. */
  readonly rate?: number;
}

function work(
  { port, load, expected, seed, seconds, sockets, window, rate }: Job,
): LoadFigures | PacedFigures {
  const against = { port, expected, sockets, queries: makeQueries(load, seed) };
  return rate === undefined ? pushLoad(against, seconds, window ?? 1) : paceLoad(against, seconds, rate);
}

if (import.meta.main) {
  for await (const line of linesOf(Deno.stdin.readable)) console.log(JSON.stringify(work(JSON.parse(line))));
}
