/**
 * Asks a sample of clients through the whole server, octets in and octets out, and holds each reply against the oracle and the
 * partition: that what was proved is also what is said.
 *
 * @module
 */

import { explain } from "../explain.ts";
import { SPECIAL_CLASS_FIRST } from "../fleet/place.ts";
import { fold, parseName } from "../dns/name.ts";
import { TYPE } from "../dns/types.ts";
import { type Family, formatPrefix } from "../net/address.ts";
import { NetworkCursor } from "../net/network_table.ts";
import type { Configuration } from "../server/configure.ts";
import type { Examine } from "../server/exchange.ts";
import { isOut, type OracleState } from "./oracle.ts";
import { type CounterExample, oracleFor, type ProveRequest, type SaidScope } from "./request.ts";
import { generator } from "./states.ts";

/** What to ask, and of whom. */
export interface WireRequest extends ProveRequest {
  readonly examine: Examine;
  readonly configuration: Configuration;
  /** How many clients of each family. */
  readonly count: number;
  readonly seed: number;
}

/** What came of it. */
export interface WireProof {
  readonly wrong: readonly CounterExample[];
  /** To be held against the partition. */
  readonly said: readonly SaidScope[];
}

/** Asks; all nodes must be up. Who gets the wrong nodes is wrong at once; scopes are for {@linkcode ProveRequest.said}. */
export async function proveWire(request: WireRequest): Promise<WireProof> {
  const { snapshot, geography, pool, family, nowMs, count } = request;
  const oracle = oracleFor(request);
  const nodes = snapshot.pools[pool]!.nodes.filter((node) => family === 4 ? node.ipv4 : node.ipv6);
  const addresses = nodes.map((node) => (family === 4 ? node.ipv4 : node.ipv6)!);
  const state: OracleState = {
    down: nodes.map(() => false),
    out: nodes.map((node) => isOut(node, snapshot.overrides, nowMs, pool)),
    degraded: nodes.map(() => false),
    lastServing: nodes.map(() => true),
  };
  const name = fold(parseName(pool)), type = family === 4 ? TYPE.A : TYPE.AAAA;
  const random = generator(request.seed);
  const wrong: CounterExample[] = [], said: SaidScope[] = [];
  for (const client of [4, 6] as Family[]) {
    const leaves = client === 4 ? geography.v4 : geography.v6;
    for (let i = 0; i < count; i++) {
      const cursor = new NetworkCursor(leaves, Math.floor(random() * leaves.count));
      const leaf = cursor.network(), { entry, value } = cursor;
      // A source of no bits asks for no tailoring at all.
      if (leaf.length === 0) continue;
      const right = oracle.answer(value >= SPECIAL_CLASS_FIRST ? 0 : value, leafOctets(leaf), state);
      const reply = await explain(
        { name, type, client: leaf },
        request.examine,
        request.configuration,
        nowMs,
      );
      const found = reply.answer.map((record) => record.split(" ").at(-1)!);
      const wanted = [...new Set(right?.map((n) => addresses[n]!))];
      if (!sameSet(found, wanted)) {
        const where = { state: "all up, as answered", network: formatPrefix(leaf) };
        wrong.push({ what: "objective", ...where, found: found.join(", "), wanted: wanted.join(", ") });
      }
      said.push({ family: client, leaf: entry, scopePrefixLength: reply.scopePrefixLength });
    }
  }
  return { wrong, said };
}

function leafOctets(
  { family, length, octets }: { family: Family; length: number; octets: Uint8Array },
): Uint8Array {
  return Uint8Array.from([family, length, ...octets]);
}

function sameSet(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((one) => b.includes(one));
}
