/**
 * A server with nodes that break and recover, an ECS-caching resolver in front, and clients that ask both.
 *
 * @module
 */

import { ofTarget } from "../../../core/fleet/by_target.ts";
import { Problems } from "../../../core/corefile/directive.ts";
import { readNodes } from "../../../core/fleet/nodes_file.ts";
import type { Publisher } from "../../../core/server/publisher.ts";
import type { Snapshot } from "../../../core/snapshot.ts";
import { Listeners } from "../../../scripts/listeners.ts";
import { Random } from "../../differential/random.ts";
import { encodeQuery, freePort, startServer } from "../../support/server.ts";
import { startUnbound } from "../../support/unbound.ts";
import { Asker } from "./asker.ts";
import { chooseClients, type ClientNetwork, randomClient } from "./clients.ts";
import { startFlipping } from "./flipper.ts";
import { type Flip, History } from "./history.ts";
import { type Asked, judge, type Judgement } from "./judge.ts";
import { type Fault, Tap } from "./tap.ts";

const NODES = "tests/e2e/ecs_cache/nodes.yaml";
const NAME = "entry.anycast.example.";
/** Seconds. */
const MAX_TTL = 2;

/** How much to do. */
export interface RunOptions {
  readonly seed: number;
  /** How many countries clients are in, for each family of addresses. */
  readonly countries: number;
  readonly queries: number;
  readonly perSecond: number;
  /** How many verdicts must have flipped before it ends; none flips when 0. */
  readonly flips: number;
  /** How many replies of the resolver must have been cache hits before it ends. */
  readonly hits?: number;
  readonly flipEveryMs: number;
  /** Puts a fault into what the server tells the resolver. */
  readonly fault?: Fault;
  /** Puts a fault into the resolver: it keeps answers for so many seconds at the least. */
  readonly cacheMinTtl?: number;
}

/** What came of it. */
export interface RunOutcome extends Judgement {
  readonly asked: readonly Asked[];
  readonly flips: readonly Flip[];
  /** Queries that the resolver sent to the server. */
  readonly fetches: number;
  /** Of the replies to them, how many were errors. */
  readonly errors: number;
}

/** Runs it all, and ends what it has started. */
export async function runEcsCache(options: RunOptions): Promise<RunOutcome> {
  const random = new Random(options.seed);
  const addresses = await nodeAddresses();
  await using stack = new AsyncDisposableStack();
  const listeners = stack.adopt(Listeners.open(addresses, freePort()), (it) => it.close());
  const tap = new Tap(options.fault);
  const server = stack.adopt(
    await startServer(corefile(listeners.port), { around: (exchange) => tap.around(exchange) }),
    (it) => it.close(),
  );
  await allUp(server.server.publisher);
  const history = stack.adopt(new History(server.server, NAME), (it) => it.close());
  const resolver = stack.adopt(
    await startUnbound({
      zone: "anycast.example",
      serverPort: server.port,
      ...(options.cacheMinTtl !== undefined && { cacheMinTtl: options.cacheMinTtl }),
    }),
    (it) => it.stop(),
  );
  const cached = stack.adopt(new Asker(resolver.port, { asksOn: true }), (it) => it.close());
  const direct = stack.adopt(new Asker(server.port), (it) => it.close());
  tap.passThrough(direct.port);
  const [geography] = Object.values(server.server.publisher.snapshot.geographies);
  const clients = chooseClients(geography!, options.countries, (client) => history.answerNow(client), random);
  if (options.flips > 0) {
    stack.defer(startFlipping(listeners, addresses, options.flipEveryMs, new Random(options.seed)));
  }
  const asked = await askAll(options, clients, random, { cached, direct }, {
    flipped: () => history.flips.length,
    fetched: () => tap.count,
  });
  return {
    ...judge(asked, history, MAX_TTL),
    asked,
    flips: history.flips,
    fetches: tap.count,
    errors: tap.errors,
  };
}

/** Two failures make a node down, two successes up: each probed within a second, the second a second later. */
function corefile(probed: number): string {
  return `anycast.example:1053 {
    bind 127.0.0.1
    errors
    geo {
        networks networks.yaml
    }
    health {
        check tcp ${probed}
        interval 1s
        timeout 500ms
        fall 2
        rise 2
        slow-flap off
        hold-down off
        ramp off
    }
    anycast ${NAME} {
        nodes ${NODES}
        answers 2
        unknown nearest 50.11 8.68
    }
    ttl 1 ${MAX_TTL}
    file zones/anycast.example.zone
}
`;
}

async function nodeAddresses(): Promise<string[]> {
  const text = await Deno.readTextFile(new URL(`../../../${NODES}`, import.meta.url));
  const nodes = readNodes(text, NODES, new Problems());
  return nodes.flatMap(({ ipv4 }) => ipv4 ?? []);
}

/** Until every node has been found up. */
async function allUp(publisher: Publisher): Promise<void> {
  const isUp = ({ pools, verdicts }: Snapshot) =>
    Object.values(pools[NAME]!.targets).flat().every((target) => ofTarget(verdicts, target)?.state === "up");
  while (!isUp(publisher.snapshot)) await sleep(50);
}

/** How many clients ask at once when a verdict flips: before the server has found out how short scopes may be now. */
const BURST = 200;

/** Asks at a steady pace and in bursts, each time for a random client, until there was enough of everything. */
async function askAll(
  { queries, perSecond, flips, hits = 0 }: RunOptions,
  clients: readonly ClientNetwork[],
  random: Random,
  askers: { readonly cached: Asker; readonly direct: Asker },
  { flipped, fetched }: { flipped(): number; fetched(): number },
): Promise<Asked[]> {
  const started = performance.now();
  const asking: Promise<Asked>[] = [];
  while (asking.length < queries || flipped() < flips || asking.length - fetched() < hits) {
    const due = (performance.now() - started) / 1000 * perSecond + flipped() * BURST;
    while (asking.length < due && askers.cached.underWay < UNDER_WAY_MAX) {
      const one = askBoth(random.pick(clients), random, askers);
      one.catch(() => {}); // thrown below, when all are done
      asking.push(one);
    }
    await sleep(5);
  }
  return Promise.all(asking);
}

/** Questions under way at a time; the server's socket gets up to twice as many, and must hold them. */
const UNDER_WAY_MAX = 64;

async function askBoth(
  from: ClientNetwork,
  random: Random,
  { cached, direct }: { readonly cached: Asker; readonly direct: Asker },
): Promise<Asked> {
  const client = randomClient(from, random);
  const query = encodeQuery(NAME, "A", client);
  const [fromCache, fromServer] = await Promise.all([cached.ask(query.slice()), direct.ask(query)]);
  return { client, country: from.country, cached: fromCache, direct: fromServer };
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
