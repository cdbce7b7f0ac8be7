/**
 * The scopes of an anycast plugin that stands alone, and a context of queries to it.
 *
 * @module
 */

import { ManualClock } from "../../../core/clock.ts";
import type { FleetHub, PoolNodes } from "../../../core/fleet/hub.ts";
import type { Node } from "../../../core/fleet/node.ts";
import { locate } from "../../../core/fleet/locate.ts";
import type { Geography } from "../../../core/fleet/place.ts";
import type { PoolPolicy } from "../../../core/fleet/pool.ts";
import {
  type AnswerScope,
  type BlockFacts,
  clientAddress,
  fold,
  type Log,
  type Name,
  type OwnedName,
  parseAddress,
  parseName,
  Problems,
  type QueryContext,
} from "../../../core/plugin.ts";
import { EMPTY_SNAPSHOT, type Snapshot } from "../../../core/snapshot.ts";
import { formatPosition } from "../../../core/corefile/directive.ts";
import anycast from "../../../plugins/anycast/mod.ts";
import type { AnycastConfig } from "../../../plugins/anycast/parse.ts";
import { NOW_MS } from "../../core/fleet/make.ts";
import { contextOf } from "../../support/context.ts";
import { answerScopeOf, controlScopeOf, factsOf as blockOf, parseScopeOf } from "../../support/scopes.ts";
import { directivesOf } from "../../support/directives.ts";

/** What came of reading some directives in a block of example.org. */
export interface Read {
  readonly config: AnycastConfig;
  readonly errors: readonly string[];
  readonly owned: readonly OwnedName[];
  readonly declared: readonly PoolPolicy[];
}

/** Reads the directives in `text`; files are looked for in `folder`. */
export function readAnycast(
  text: string,
  folder = new URL("../../..", import.meta.url).pathname,
  sharesState = false,
): Read {
  const problems = new Problems(), owned: OwnedName[] = [], declared: PoolPolicy[] = [];
  const scope = parseScopeOf({
    problems,
    zones: [parseName("example.org")],
    sharesState,
    path: (token) => `${folder}/${token.text}`,
    ownName: (name) => void owned.push(name),
    declarePool: (policy) => void declared.push(policy),
  });
  const config = anycast.parse(directivesOf(text), scope);
  const errors = problems.errors.map(({ at, message }) => `${formatPosition(at)} ${message}`);
  return { config, errors, owned, declared };
}

/** Facts of the block, with or without zone data. */
export function factsOf(owned: readonly OwnedName[], dataZones: readonly Name[] = []): BlockFacts {
  return blockOf({ zones: [parseName("example.org")], dataZones, owned, plugins: ["anycast"] });
}

/** Keeps what is logged and counted. */
export class Journal implements Log {
  readonly lines: string[] = [];
  readonly counts: string[] = [];
  readonly count = (name: string, labels: Readonly<Record<string, string>> = {}) =>
    void this.counts.push([name, ...Object.values(labels)].join(" "));

  debug(message: string): void {
    this.lines.push(`debug ${message}`);
  }
  info(message: string): void {
    this.lines.push(`info ${message}`);
  }
  warn(message: string): void {
    this.lines.push(`warn ${message}`);
  }
  error(message: string): void {
    this.lines.push(`error ${message}`);
  }
}

/** What an answering half is given; `slot` is what its control half published. */
export function answerScope(
  facts: BlockFacts,
  { slot, world, journal = new Journal() }: { slot?: unknown; world?: Geography; journal?: Journal } = {},
): AnswerScope {
  return answerScopeOf({
    facts,
    clock: new ManualClock(NOW_MS),
    published: () => slot,
    geography: () => world,
    log: journal,
    count: journal.count,
    series: (name, labels) => ({ record: () => journal.count(name, labels) }),
  });
}

/** A query for `name`, with a client subnet where one is given, whose client is looked up in `world`. */
export function queryOf(
  name: string,
  type: number,
  snapshot: Snapshot,
  { subnet, world, ...more }: { subnet?: string; world?: Geography } & Partial<QueryContext> = {},
): QueryContext {
  const [address, length] = (subnet ?? "").split("/");
  const edns = {
    ...{ version: 0, payloadSize: 1232, dnssecOk: false, options: [] },
    ...subnet && { clientSubnet: { address: parseAddress(address!)!, sourcePrefixLength: Number(length) } },
  };
  const asked = parseName(name);
  const context = contextOf({
    question: { name: asked, type, class: 1 },
    name: fold(asked),
    nowMs: NOW_MS,
    edns,
    snapshot,
    ...more,
  });
  if (!world) return context;
  return {
    ...context,
    locate: () => locate(world, clientAddress(context).address),
    locateAddress: (address) => locate(world, address),
  };
}

/** A control scope over snapshots that the test makes. */
export class ControlStage {
  readonly clock = new ManualClock(NOW_MS);
  readonly journal = new Journal();
  readonly pools: PoolNodes[] = [];
  readonly published: unknown[] = [];
  readonly partitions: Parameters<FleetHub["setPartitions"]>[0][] = [];
  readonly owned: { close(): void | Promise<void> }[] = [];
  snapshot: Snapshot = EMPTY_SNAPSHOT;
  /** Tells which nodes are registered. */
  register: (nodes: readonly Node[]) => void = () => {};
  #listeners: ((snapshot: Snapshot) => void)[] = [];

  readonly scope = controlScopeOf({
    facts: factsOf([]),
    clock: this.clock,
    log: this.journal,
    fleet: {
      ...controlScopeOf().fleet,
      setNodes: (pool) => void this.pools.push(pool),
      setPartitions: (partitions) => void this.partitions.push(partitions),
      onRegistry: (listener) => {
        this.register = listener;
        listener([]);
      },
    },
    snapshot: () => this.snapshot,
    onSnapshot: (listener) => void this.#listeners.push(listener),
    publish: (value) => void this.published.push(structuredClone(value)),
    ask: () => Promise.reject(new Error("not asked for")),
    own: (resource) => (this.owned.push(resource), resource),
    count: this.journal.count,
  });

  /** Publishes a snapshot to whoever listens. */
  show(snapshot: Snapshot): void {
    this.snapshot = snapshot;
    for (const listener of this.#listeners) listener(snapshot);
  }

  async close(): Promise<void> {
    for (const resource of this.owned.toReversed()) await resource.close();
  }
}
