/**
 * Asks a sample of clients through the whole server, octets in and octets out, and holds each reply against the oracle and the
 * partition: that what was proved is also what is said.
 *
 * @module
 */

import { explain } from "../explain.ts";
import { makePartition } from "../fleet/partition.ts";
import { SPECIAL_CLASS_FIRST } from "../fleet/place.ts";
import { fold, parseName } from "../dns/name.ts";
import { TYPE } from "../dns/types.ts";
import { type Family, formatPrefix } from "../net/address.ts";
import { findNetwork, networkAt } from "../net/network_table.ts";
import type { Configuration } from "../server/configure.ts";
import type { Examine } from "../server/exchange.ts";
import { isOut } from "./oracle.ts";
import type { CounterExample, ProveRequest } from "./prove.ts";
import { oracleFor } from "./prove.ts";
import { generator } from "./states.ts";

/** What to ask, and of whom. */
export interface WireRequest extends ProveRequest {
  readonly examine: Examine;
  readonly configuration: Configuration;
  /** How many clients of each family. */
  readonly count: number;
  readonly seed: number;
}

/** Asks; all nodes must be up. @returns What was wrong. */
export async function proveWire(request: WireRequest): Promise<CounterExample[]> {
  const { snapshot, geography, pool, family, nowMs, count } = request;
  const oracle = oracleFor(request);
  const nodes = snapshot.pools[pool]!.nodes.filter((node) => family === 4 ? node.ipv4 : node.ipv6);
  const addresses = nodes.map((node) => (family === 4 ? node.ipv4 : node.ipv6)!);
  const partition = makePartition({ snapshot, geography, pool, family, nowMs })!;
  const all = nodes.map(() => true), none = nodes.map(() => false);
  const out = nodes.map((node) => isOut(node, snapshot.overrides, nowMs));
  const random = generator(request.seed);
  const wrong: CounterExample[] = [];
  for (const client of [4, 6] as Family[]) {
    const leaves = client === 4 ? geography.v4 : geography.v6;
    for (let i = 0; i < count; i++) {
      const index = Math.floor(random() * leaves.count);
      const leaf = networkAt(leaves, index);
      // A source of no bits asks for no tailoring at all.
      if (leaf.length === 0) continue;
      const value = leaves.values[index]!;
      const blocks = partition.blocks[client];
      const wantedScope = partition.tailored ? blocks.lengths[findNetwork(blocks, leaf.octets)]! : 0;
      const right = oracle.answer(value >= SPECIAL_CLASS_FIRST ? 0 : value, leafOctets(leaf), {
        down: none,
        out,
        degraded: none,
        lastServing: all,
      });
      const name = fold(parseName(pool));
      const type = family === 4 ? TYPE.A : TYPE.AAAA;
      const asked = { name, type, client: leaf };
      const reply = await explain(asked, request.examine, request.configuration, nowMs);
      const found = reply.answer.map((record) => record.split(" ").at(-1)!);
      const wanted = [...new Set(right?.map((n) => addresses[n]!))];
      const where = { state: "all up, as answered", network: formatPrefix(leaf) };
      if (!sameSet(found, wanted)) {
        wrong.push({ what: "objective", ...where, found: found.join(", "), wanted: wanted.join(", ") });
      }
      // Until the server has made its own partition, a scope is the leaf's length: sound, not minimal.
      const scope = reply.scopePrefixLength;
      if (scope !== wantedScope && scope !== leaf.length) {
        wrong.push({ what: "scope not sound", ...where, found: `/${scope}`, wanted: `/${wantedScope}` });
      }
    }
  }
  return wrong;
}

function leafOctets(
  { family, length, octets }: { family: Family; length: number; octets: Uint8Array },
): Uint8Array {
  return Uint8Array.from([family, length, ...octets]);
}

function sameSet(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((one) => b.includes(one));
}
