/** `meridian prove`: every client's answer, against a second computation that shares nothing with the first. @module */

import { proveInWorkers } from "../prove/in_workers.ts";
import { type CounterExample, oracleFor, type Proof, type ProveRequest } from "../prove/request.ts";
import { proveWire } from "../prove/wire.ts";
import type { Node } from "../fleet/node.ts";
import { healthStates } from "../prove/states.ts";
import type { Server } from "../server/server.ts";
import { EMPTY_SNAPSHOT } from "../snapshot.ts";
import { readVerdicts } from "./explain.ts";
import { type Flags, UsageError } from "./flags.ts";
import type { Command } from "./mod.ts";
import { standAlone } from "./stand_alone.ts";
import { formatSpan, formatTable } from "./table.ts";

/** The command. */
export const prove: Command = {
  usage: "prove [POOL...] [-conf FILE] [-subsets N] [-seed N] [-verdicts FILE] [-json]",
  summary: "check the answer, and its scope, for every network of the geo data",
  flags: {
    conf: { value: "FILE", help: "the Corefile" },
    "dns.port": { value: "PORT", help: "the port of keys that name none (53)", short: "p" },
    subsets: { value: "N", help: "random sets of nodes to take down, beside none and each one (20)" },
    seed: { value: "N", help: "of the random sets (1)" },
    verdicts: { value: "FILE", help: 'prove one state only, that of FILE: JSON {"NODE": "down", …}' },
    json: { help: "print a JSON object" },
  },
  wordsMax: Infinity,
  async run({ values, words }, builtIn) {
    const startedMs = performance.now();
    const server = await standAlone(values, {}, builtIn);
    const loadedMs = performance.now();
    const proofs = await proveAll(server, values, words);
    const report: Report = { proofs, loadMs: loadedMs - startedMs, proveMs: performance.now() - loadedMs };
    console.log(values.json ? JSON.stringify(report, null, 2) : formatReport(report));
    return proofs.some(({ failures }) => failures > 0) ? 1 : 0;
  },
};

interface Report {
  readonly proofs: readonly Proof[];
  readonly loadMs: number;
  readonly proveMs: number;
}

/** What is proved together, and what of it was found wrong already. */
type Asked = { readonly request: ProveRequest; readonly wrong: readonly CounterExample[] }[];

/**
 * One pool after the other. Where the very nodes that answer for A answer for AAAA too, each with an address of its own, AAAA
 * is proved with all nodes up only: in every other state it is the same computation over the same numbers.
 */
async function proveAll(server: Server, values: Flags["values"], words: readonly string[]): Promise<Proof[]> {
  const asked = await askAll(server, values, words);
  const proofs: Proof[] = [];
  for (const key of [...asked.keys()]) {
    const together = asked.get(key)!;
    // So that its distances are not kept beside those of the pools to come.
    asked.delete(key);
    const { pool } = together[0]!.request;
    const proved = await proveInWorkers(together.map(({ request }) => request), bar(pool));
    for (const [i, { wrong }] of together.entries()) {
      const proof = proved[i]!;
      const counterExamples = [...proof.counterExamples, ...wrong].slice(0, 20);
      proofs.push({ ...proof, failures: proof.failures + wrong.length, counterExamples });
    }
  }
  return proofs;
}

/** Asks some clients through the server, which is gone afterwards: what it holds is needed for the rest. */
async function askAll(
  server: Server,
  values: Flags["values"],
  words: readonly string[],
): Promise<Map<string, Asked>> {
  const { configuration, answering: { examine } } = server;
  const seed = wholeNumber(values, "seed", 1);
  const asked = new Map<string, Asked>();
  try {
    for (const request of requests(server, values, words)) {
      const key = keyOf(request), together = asked.get(key) ?? [];
      const distances = together[0]?.request.distances ?? oracleFor(request).distances;
      const states = together.length > 0 ? request.states.slice(0, 1) : request.states;
      const shared = { ...request, states, distances };
      const { wrong, said } = await proveWire({
        ...shared,
        examine,
        configuration,
        count: WIRE_SAMPLE,
        seed,
      });
      asked.set(key, [...together, { request: { ...shared, said }, wrong }]);
    }
  } finally {
    await server.close();
  }
  return asked;
}

/** What stands for a pool's nodes, or for this one request where nodes share addresses. */
function keyOf(request: ProveRequest): string {
  const addresses = addressesOf(request);
  const areOwn = new Set(addresses.values()).size === addresses.size;
  return `${request.pool} ${[...addresses.keys()]}${areOwn ? "" : ` ${request.family}`}`;
}

/** By node id, the addresses that answers are made of. */
function addressesOf({ snapshot, pool, family }: ProveRequest): Map<string, string> {
  const nodes = snapshot.pools[pool]!.nodes;
  return new Map(nodes.flatMap(({ id, ipv4, ipv6 }) => {
    const address = family === 4 ? ipv4 : ipv6;
    return address ? [[id, address] as const] : [];
  }));
}

/** How many clients of each family are asked through the whole server. */
const WIRE_SAMPLE = 2000;

/** What is to be proved: each pool, A and AAAA, with the geography of its block. */
function requests(server: Server, values: Flags["values"], words: readonly string[]): ProveRequest[] {
  const { pools: states, geographies, verdicts, overrides } = server.publisher.snapshot;
  // What plugins published besides may be large, and is not needed.
  const snapshot = { ...EMPTY_SNAPSHOT, pools: states, verdicts, overrides };
  const pools = words.length > 0 ? words.map(absolute) : Object.keys(snapshot.pools);
  const unknown = pools.find((pool) => !snapshot.pools[pool]);
  if (unknown !== undefined) {
    throw new UsageError(
      `There is no pool ${unknown}; there are ${Object.keys(snapshot.pools).join(", ") || "none"}`,
    );
  }
  if (pools.length === 0) {
    const { membership } = server.configuration.globals;
    const where = membership ? "neither the Corefile nor its store has one" : "the Corefile has no anycast";
    throw new UsageError(`There is no pool to prove: ${where}`);
  }
  return pools.flatMap((pool) => {
    const { block } = server.publisher.poolNamed(pool)!, geography = geographies[block];
    if (!geography) {
      throw new UsageError(`Pool ${pool} stands in a server block without geo: there is nothing to prove`);
    }
    return ([4, 6] as const).flatMap((family) => {
      const nodes = snapshot.pools[pool]!.nodes.filter((node) => family === 4 ? node.ipv4 : node.ipv6);
      if (nodes.length === 0) return [];
      const states = statesOf(nodes, values);
      return [{
        snapshot,
        geography,
        pool,
        family,
        states,
        nowMs: server.nowMs(),
      }];
    });
  });
}

function absolute(pool: string): string {
  return pool.endsWith(".") ? pool.toLowerCase() : `${pool.toLowerCase()}.`;
}

function statesOf(nodes: readonly Node[], values: Flags["values"]) {
  const ids = nodes.map(({ id }) => id);
  if (values.verdicts === undefined) {
    const inRegions = Map.groupBy(nodes.filter(({ region }) => region !== ""), ({ region }) => region);
    const regions = new Map(Array.from(inRegions, ([region, own]) => [region, own.map(({ id }) => id)]));
    return healthStates(ids, wholeNumber(values, "subsets", 20), wholeNumber(values, "seed", 1), regions);
  }
  const verdicts = readVerdicts(values.verdicts as string);
  const inState = (state: string) => ids.filter((id) => verdicts[id] === state);
  return [{ name: String(values.verdicts), down: inState("down"), degraded: inState("degraded") }];
}

function wholeNumber(values: Flags["values"], flag: string, byDefault: number): number {
  const text = values[flag];
  if (text === undefined) return byDefault;
  if (!/^\d{1,9}$/.test(String(text))) throw new UsageError(`-${flag} must be a whole number: got ${text}`);
  return Number(text);
}

/** A bar on standard error, when a person sits there. */
function bar(what: string): (done: number, of: number) => void {
  const encoder = new TextEncoder();
  const write = (text: string) => void Deno.stderr.writeSync(encoder.encode(text));
  return (done, of) => {
    if (!Deno.stderr.isTerminal()) return;
    const filled = Math.round(30 * done / of);
    const line = `${what} [${"#".repeat(filled).padEnd(30, ".")}] ${done}/${of} states`;
    write(done === of ? `\r${" ".repeat(line.length)}\r` : `\r${line}`);
  };
}

function formatReport({ proofs, loadMs, proveMs }: Report): string {
  const count = (n: number) => n.toLocaleString("en");
  const table = formatTable(
    ["POOL", "TYPE", "NODES", "STATES", "IPV4 LEAVES", "IPV6 LEAVES", "CHECKS", "REGRET M", "FAILURES"],
    proofs.map((proof) => [
      proof.pool,
      proof.family === 4 ? "A" : "AAAA",
      count(proof.nodes),
      count(proof.states),
      count(proof.leaves[4]),
      count(proof.leaves[6]),
      count(proof.leavesChecked),
      count(proof.regretMetres),
      count(proof.failures),
    ]),
  );
  const examples = proofs.flatMap(({ pool, counterExamples }) =>
    counterExamples.map(({ what, state, network, found, wanted }) =>
      `${what}: ${pool} for ${network}, ${state}: found ${found}, wanted ${wanted}`
    )
  );
  const failures = proofs.reduce((sum, proof) => sum + proof.failures, 0);
  const verdict = failures === 0
    ? "proved: every answer is the one it should be, every scope is sound and none could be shorter"
    : `NOT proved: ${count(failures)} failures, the first of them:`;
  const time = `geo data read in ${formatSpan(loadMs)}, proved in ${formatSpan(proveMs)}`;
  return [table, "", verdict, ...examples, time].join("\n");
}
