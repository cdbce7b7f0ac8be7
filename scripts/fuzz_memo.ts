/**
 * Throws mutated messages at a memo before a whole server: `deno run -A scripts/fuzz_memo.ts [COUNT] [SEED]`, a million by
 * default. Each is asked, and asked again under another ID, with one bit turned, and from elsewhere in another case: what is
 * answered in place must be what the chain says, octet for octet. Stops at the first that is not, printing it in hex.
 *
 * @module
 */

import { ManualClock } from "../core/clock.ts";
import { loadCorefile } from "../core/command/load.ts";
import { formatProblems } from "../core/corefile/format.ts";
import { encodeClientSubnet } from "../core/dns/edns.ts";
import { encodeMessage, makeQuery } from "../core/dns/message.ts";
import { parseName } from "../core/dns/name.ts";
import { TYPE } from "../core/dns/types.ts";
import { parseAddress } from "../core/net/address.ts";
import type { Endpoint } from "../core/server/arrival.ts";
import { Server } from "../core/server/server.ts";
import { plugins } from "../plugins/mod.ts";
import { RandomQueries, SERVERS } from "../tests/support/memo/queries.ts";
import { MemoRig } from "../tests/support/memo/rig.ts";
import { Chance } from "../tests/support/random_world.ts";
import { mutate } from "./fuzz.ts";

/** How many packets were asked, and what of: repeated, asked of the chain and answered, not answered. */
export interface MemoFuzzReport {
  readonly asked: number;
  readonly repeated: number;
  readonly answered: number;
  readonly silent: number;
}

const ROOT = new URL("..", import.meta.url).pathname;

const COREFILE = `{
    state off
}
anycast.example:1053 {
    geo {
        networks networks.yaml
    }
    acl {
        block type MX net 203.0.113.0/25
        filter type CAA
    }
    any
    loadbalance
    anycast entry.anycast.example {
        nodes nodes.yaml
        answers 3
    }
    file zones/anycast.example.zone
}
sub.static.anycast.example:1053 {
    template IN A {
        answer "{{ .Name }} 60 IN A 192.0.2.1"
    }
}
`;

const NAMES = [
  ...["", "www.", "mail.", "entry.", "api.", "lab.", "ns.lab.", "static.", "robots.static.", "sub.static."],
  ...["x.sub.static.", "not.", "a.b.not.", "*.static."],
].map((labels) => parseName(`${labels}anycast.example.`));

const HOSTS = [
  "198.51.100.7",
  "203.0.113.1",
  "203.0.113.200",
  "192.0.2.1",
  "2001:db8:5150::1",
  "2001:db8::9",
];

/** Asks `count` mutated messages, four times each. @throws {Error} At the first reply that is not the chain's. */
export async function fuzzMemo(count: number, seed: number): Promise<MemoFuzzReport> {
  const server = await startServer(new Chance(seed).unit), chance = new Chance(seed + 1);
  const report = { asked: 0, repeated: 0, answered: 0, silent: 0 };
  const rig = new MemoRig(server, () => server.nowMs());
  const queries = new RandomQueries(chance, NAMES, NAMES.slice(0, 4), HOSTS), seeds: Uint8Array[] = [];
  try {
    warmUp(rig);
    for (let i = 0; i < count; i++) {
      const { octets, source, server: to } = queries.next();
      seeds[i % 64] = octets;
      const packet = chance.is(0.5) ? octets : mutate(octets, seeds, chance.unit);
      if (packet.length > 4096) continue;
      ask(rig, packet, source, to, report);
      ask(rig, underAnotherId(packet, chance), source, to, report);
      ask(rig, withOneBitTurned(packet, chance), source, to, report);
      ask(rig, inAnotherCase(packet), { address: parseAddress(chance.of(...HOSTS))!, port: 9 }, to, report);
    }
  } finally {
    await server.close();
  }
  return report;
}

async function startServer(random: () => number): Promise<Server> {
  const loaded = await loadCorefile({ file: `${ROOT}Corefile`, text: COREFILE }, plugins, 53);
  if (loaded.problems.errors.length > 0) {
    throw new Error(formatProblems(loaded.problems, { source: () => COREFILE }));
  }
  const log = { debug() {}, info() {}, warn() {}, error: console.error };
  return await Server.start({
    ...{ configuration: loaded.configuration, modules: plugins, log, random, clock: new ManualClock() },
    standAlone: { verdicts: {} },
    writeLine() {},
  });
}

/** Scopes are found out a little at a time: until then the chain may tell wider ones from one query to the next. */
function warmUp(rig: MemoRig): void {
  for (let round = 0; round < 100; round++) {
    for (const [host, type] of HOSTS.flatMap((host) => [[host, TYPE.A], [host, TYPE.AAAA]] as const)) {
      const address = parseAddress(host)!, sourcePrefixLength = address.family === 4 ? 32 : 64;
      const edns = { options: [encodeClientSubnet({ address, sourcePrefixLength })] };
      const query = encodeMessage(makeQuery(1, NAMES[3]!, type, { edns }));
      rig.askChain(query, { address, port: 9 }, SERVERS[0]!);
    }
  }
}

function ask(
  rig: MemoRig,
  packet: Uint8Array,
  from: Endpoint,
  to: Endpoint,
  report: { -readonly [Part in keyof MemoFuzzReport]: number },
): void {
  const { byMemo, byChain, wasHit } = rig.compare(packet, from, to);
  report.asked++;
  report[wasHit ? "repeated" : byMemo ? "answered" : "silent"]++;
  if (byMemo?.toHex() === byChain?.toHex()) return;
  throw new Error(
    `To ${packet.toHex()} the memo ${
      wasHit ? "repeats" : "says"
    } ${byMemo?.toHex()}, the chain ${byChain?.toHex()}`,
  );
}

function underAnotherId(packet: Uint8Array, chance: Chance): Uint8Array {
  const copy = packet.slice();
  copy[0] = chance.whole(0, 255);
  copy[1] = chance.whole(0, 255);
  return copy;
}

/** What differs least from what may be repeated, in header or OPT as a rule. */
function withOneBitTurned(packet: Uint8Array, chance: Chance): Uint8Array {
  const copy = packet.slice(), last = Math.max(0, copy.length - 1);
  const at = chance.is(0.3) ? chance.whole(0, 11) : chance.whole(Math.max(0, last - 22), last);
  if (at < copy.length) copy[at]! ^= 1 << chance.whole(0, 7);
  return copy;
}

/** Turns what looks like letters of the question's name. */
function inAnotherCase(packet: Uint8Array): Uint8Array {
  const copy = packet.slice();
  for (let at = 12; at < copy.length && copy[at] !== 0; at++) {
    const lower = copy[at]! | 0x20;
    if (lower >= 0x61 && lower <= 0x7a) copy[at]! ^= 0x20;
  }
  return copy;
}

if (import.meta.main) {
  const [count = "1000000", seed = "1"] = Deno.args;
  console.log(await fuzzMemo(Math.ceil(Number(count) / 4), Number(seed)));
}
