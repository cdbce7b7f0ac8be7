/**
 * Counts in query logs what client networks ask for: in lines of `log json`, which have all that it takes.
 *
 * @module
 */

import { formatPrefix, parseAddress, parseNetwork, type Prefix, prefixOf } from "../net/address.ts";
import { UsageError } from "./flags.ts";

/** No finer than a location is known, and than people want to be known. */
const LENGTH_MAX = { 4: 24, 6: 48 } as const;

/** What of a line of the log counts. */
interface Line {
  readonly time?: string;
  readonly remote?: string;
  readonly ecs?: string;
  readonly selections?: readonly unknown[];
  /** For how many replies it stands. */
  readonly weight?: number;
}

/** Adds up lines. Those that no pool answered are nobody's load, and what is no JSON object is another log's. */
export class DemandCount {
  readonly #networks = new Map<string, number>();
  #firstMs = Infinity;
  #lastMs = -Infinity;
  lines = 0;

  add(text: string): void {
    const line = objectIn(text), atMs = Date.parse(line?.time ?? "");
    if (!line || Number.isNaN(atMs) || !line.selections?.length) return;
    const network = networkOf(line);
    if (!network) return;
    this.lines++;
    this.#firstMs = Math.min(this.#firstMs, atMs);
    this.#lastMs = Math.max(this.#lastMs, atMs);
    const name = formatPrefix(network);
    this.#networks.set(name, (this.#networks.get(name) ?? 0) + (line.weight ?? 1));
  }

  /** Queries a second by network, those that ask for most first, at most so many. @throws {UsageError} Too little to tell. */
  rates(most: number): [network: string, rate: number][] {
    const seconds = (this.#lastMs - this.#firstMs) / 1000;
    if (!(seconds > 0)) {
      throw new UsageError(
        `demand count wants lines of \`log json\` that pools answered, of more than one instant: found ${this.lines}`,
      );
    }
    return [...this.#networks].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1)).slice(0, most)
      .map(([network, count]) => [network, count / seconds]);
  }
}

/** Counts in files; `-` is standard input. @throws {UsageError} */
export async function countDemand(files: readonly string[]): Promise<DemandCount> {
  const count = new DemandCount();
  for (const file of files) {
    let rest = "";
    try {
      const readable = file === "-" ? Deno.stdin.readable : (await Deno.open(file)).readable;
      for await (const text of readable.pipeThrough(new TextDecoderStream())) {
        const lines = (rest + text).split("\n");
        rest = lines.pop()!;
        for (const line of lines) count.add(line);
      }
    } catch (error) {
      throw new UsageError(
        `demand count: cannot read ${file}: ${error instanceof Error ? error.message : error}`,
      );
    }
    count.add(rest);
  }
  return count;
}

function objectIn(text: string): Line | undefined {
  if (!text.startsWith("{")) return undefined;
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** The client's: as the query told it, or else where that came from. */
function networkOf({ ecs, remote = "" }: Line): Prefix | undefined {
  const told = ecs === undefined ? undefined : parseNetwork(ecs);
  // With a length of 0 a resolver says that it says nothing.
  if (told && told.length > 0) return cut(told);
  const address = parseAddress(remote.replace(/^\[(.*)\]$/, "$1"));
  return address && prefixOf(address, LENGTH_MAX[address.family]);
}

function cut(prefix: Prefix): Prefix {
  return prefixOf(prefix, Math.min(prefix.length, LENGTH_MAX[prefix.family]));
}
