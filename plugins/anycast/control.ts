/**
 * The control half: loads node lists and loads them again when they change, keeps the partitions, and says when a pool
 * goes all-down.
 *
 * @module
 */

import { readNodes } from "../../core/fleet/nodes_file.ts";
import type { Node } from "../../core/fleet/node.ts";
import { PartitionBuilder } from "../../core/fleet/partition_builder.ts";
import { poolView } from "../../core/fleet/view.ts";
import { formatPosition } from "../../core/corefile/directive.ts";
import { lookAgain, readRegularTextFile, reasonOf, stampOf } from "../../core/files.ts";
import { type ControlScope, formatName, Problems, type Snapshot } from "../../core/plugin.ts";
import { ManagedPools } from "./managed_pools.ts";
import { type AnycastConfig, type PoolConfig, selectNodes } from "./parse.ts";
import { type Builder, PartitionKeeper } from "./partition_keeper.ts";
import { PriceKeeper, type Pricer } from "./price_keeper.ts";
import { type AnycastData, ownPools } from "./published.ts";

const LOOK_EVERY_MS = 2000;

/**
 * Hands the pools their nodes and keeps watch.
 *
 * @throws {Error} When a node list cannot be loaded now: the server does not start with half its pools.
 */
export function start(
  { pools, managed }: AnycastConfig,
  scope: ControlScope,
  builder: Builder & Pricer & { close(): void | Promise<void> } = new PartitionBuilder(),
): void {
  const own = ownPools({ pools });
  let keeper: PartitionKeeper | undefined;
  let data: AnycastData = { pools: own, askedS: sharedNumbers(own.length), lists: {} };
  scope.publish(data);
  const store = managed && new ManagedPools(managed, scope, (names) => {
    data = withPools(data, [...own, ...names]);
    scope.publish(data);
    keeper?.setPools(data.pools, data.askedS);
  });
  const members = new PoolMembers(takersOf(pools, scope), scope);
  if (managed && store) {
    members.add({ nodes: managed.nodes, give: (nodes, listed) => store.takeNodes(nodes, listed) });
    store.follow();
  }
  members.followRegistry();
  const paths = new Set([...pools, ...managed ? [managed] : []].flatMap(({ nodes }) => nodes.path ?? []));
  for (const path of paths) {
    const users = pools.filter(({ nodes }) => nodes.path === path);
    const take = (nodes: readonly Node[]) => {
      members.take(path, nodes);
      if (users.some(({ nodes }) => nodes.from === "below")) {
        scope.publish(data = { ...data, lists: { ...data.lists, [path]: nodes } });
      }
    };
    scope.own(new NodeList(path, users, scope, take)).load();
  }
  if (own.length === 0 && !managed) return;
  scope.own(builder);
  const keeping = keeper = scope.own(new PartitionKeeper(data.pools, scope, builder, data.askedS));
  const keep = () => {
    scope.onSnapshot(() => keeping.refresh());
    void keeping.refresh();
  };
  // What was made before is there from the first answer on; what has to be made would be in the way of that.
  if (scope.inherited === undefined) scope.onServing(keep);
  else keep();
  scope.onScrape(() => keeping.show());
  if (managed || pools.some(({ policy }) => policy.degrade)) {
    const prices = scope.own(new PriceKeeper(() => data.pools, scope, builder));
    prices.start();
    scope.onScrape(() => prices.show());
  }
  scope.onSnapshot(sayAllDown(() => data.pools, scope));
}

/** Zeros that every thread can read and write. */
function sharedNumbers(length: number): Uint32Array<SharedArrayBuffer> {
  return new Uint32Array(new SharedArrayBuffer(4 * length));
}

/** The same for other pools; of those that stay it is known when they were asked for. */
function withPools(data: AnycastData, pools: readonly string[]): AnycastData {
  const askedS = sharedNumbers(pools.length), before = new Map(data.pools.map((pool, i) => [pool, i]));
  pools.forEach((pool, i) => askedS[i] = data.askedS[before.get(pool) ?? -1] ?? 0);
  return { ...data, pools, askedS };
}

/** Who takes nodes of lists. */
interface Taker {
  readonly nodes: PoolConfig["nodes"];
  /** Hands over all that there are, ascending by id, and those of them that stand in the file. */
  give(nodes: readonly Node[], listed: readonly Node[]): void;
}

/** The Corefile's pools that have nodes of their own. */
function takersOf(pools: readonly PoolConfig[], { fleet, facts }: ControlScope): Taker[] {
  return pools.filter(({ nodes }) => nodes.from === "lists").map(({ policy, owners, nodes, checks }) => ({
    nodes,
    give: (all) =>
      fleet.setNodes({
        ...{ policy, block: facts.key, nodes: selectNodes(all, policy.select) },
        ...nodes.registered && { takesRegistered: true },
        ...checks && { checks },
        ...owners.length > 1 && { owners: owners.map(formatName) },
      }),
  }));
}

/** Hands out the nodes of lists: of a file, of the registry, or of both. */
class PoolMembers {
  readonly #takers: Taker[];
  readonly #scope: ControlScope;
  readonly #files = new Map<string, readonly Node[]>();
  #registered: readonly Node[] = [];
  /** Nodes of which it has been said that they stand in both. */
  readonly #twice = new Set<string>();

  constructor(takers: Taker[], scope: ControlScope) {
    [this.#takers, this.#scope] = [takers, scope];
  }

  add(taker: Taker): void {
    this.#takers.push(taker);
  }

  followRegistry(): void {
    const users = this.#takers.filter(({ nodes }) => nodes.registered);
    if (users.length === 0) return;
    const take = (nodes: readonly Node[]) => {
      this.#registered = nodes;
      // One whose file is not loaded yet is given both at once.
      for (const user of users) {
        if (user.nodes.path === undefined || this.#files.has(user.nodes.path)) this.#give(user);
      }
    };
    // In a server that only explains nobody registers.
    if (this.#scope.fleet.onRegistry) this.#scope.fleet.onRegistry(take);
    else take([]);
  }

  take(path: string, nodes: readonly Node[]): void {
    this.#files.set(path, nodes);
    for (const taker of this.#takers) if (taker.nodes.path === path) this.#give(taker);
  }

  #give({ nodes: { path, registered }, give }: Taker): void {
    const listed = path === undefined ? [] : this.#files.get(path) ?? [];
    give(registered ? this.#joined(listed) : listed, listed);
  }

  /** Both lists, ascending by id. What the operator's file says of a node stands. */
  #joined(listed: readonly Node[]): readonly Node[] {
    const ids = new Set(listed.map(({ id }) => id));
    const others = this.#registered.filter(({ id }) => {
      if (ids.has(id) && !this.#twice.has(id)) {
        this.#twice.add(id);
        this.#scope.log.warn(
          `anycast: node ${id} is registered and stands in the file too: what the file says holds`,
        );
      }
      return !ids.has(id);
    });
    return listed.length === 0 ? others : [...listed, ...others].sort((a, b) => a.id < b.id ? -1 : 1);
  }
}

/** What a look into a node list found. */
interface Reading {
  readonly nodes: readonly Node[];
  /** Why they cannot be taken. */
  readonly wrong?: string;
  /** Whether the file was read at all. */
  readonly isRead: boolean;
}

/** One node list, looked at every two seconds. What was good stays until something better comes. */
class NodeList {
  readonly #path: string;
  readonly #users: readonly PoolConfig[];
  readonly #scope: ControlScope;
  readonly #take: (nodes: readonly Node[]) => void;
  /** Of what was taken or refused last; undefined where there was nothing to read. */
  #judged: string | undefined;
  /** At the last look. */
  #seen = "";
  /** What was last complained of. */
  #wrong: string | undefined;
  #watch: { close(): void } | undefined;

  constructor(
    path: string,
    users: readonly PoolConfig[],
    scope: ControlScope,
    take: (nodes: readonly Node[]) => void,
  ) {
    this.#path = path;
    this.#users = users;
    this.#scope = scope;
    this.#take = take;
  }

  /** Loads it for the first time. @throws {Error} When it is wrong. */
  load(): void {
    // The stamp is taken first: a file that changes while it is read is read again.
    this.#judged = this.#seen = stampOf(this.#path);
    const { nodes, wrong } = this.#read();
    if (wrong !== undefined) throw new Error(`anycast: ${wrong}`);
    this.#take(nodes);
    this.#watch = lookAgain(this.#scope.clock, LOOK_EVERY_MS, () => this.#look());
  }

  close(): void {
    this.#watch?.close();
  }

  /** A file that still changes may be half written: it is read once two looks in a row have found it the same. */
  #look(): void {
    const stamp = stampOf(this.#path);
    const isSettled = stamp === this.#seen;
    this.#seen = stamp;
    if (!isSettled || stamp === this.#judged) return;
    const reading = this.#read();
    if (stampOf(this.#path) !== stamp) return;
    // What could not be read may be mended without a trace in the stamp, by a change of permissions say.
    this.#judged = reading.isRead ? stamp : undefined;
    this.#judge(reading);
  }

  #judge({ nodes, wrong, isRead }: Reading): void {
    if (wrong !== undefined && !isRead && wrong === this.#wrong) return;
    this.#wrong = wrong;
    const { log, count } = this.#scope;
    count("meridian_node_list_reloads_total", { outcome: wrong === undefined ? "taken" : "refused" });
    if (wrong !== undefined) {
      log.error(
        `anycast: ${this.#path} has changed and cannot be taken, keeping the nodes from before: ${wrong}`,
      );
      return;
    }
    log.info(`anycast: took ${this.#path}, ${nodes.length} nodes`);
    this.#take(nodes);
  }

  #read(): Reading {
    const problems = new Problems();
    let nodes: readonly Node[] = [];
    try {
      nodes = readNodes(readRegularTextFile(this.#path), this.#path, problems);
    } catch (error) {
      const wrong = error instanceof Deno.errors.NotFound
        ? `${this.#path} is not there`
        : `${this.#path} cannot be read: ${reasonOf(error)}`;
      return { nodes, wrong, isRead: false };
    }
    const wrong = problems.errors.map(({ at, message }) => `${formatPosition(at)}: ${message}`);
    for (const { policy, nodes: { from, registered } } of this.#users) {
      if (
        from === "lists" && !registered && wrong.length === 0 &&
        selectNodes(nodes, policy.select).length === 0
      ) {
        wrong.push(`it has no node for pool ${policy.name}`);
      }
    }
    return { nodes, isRead: true, ...wrong.length > 0 && { wrong: wrong.join("; ") } };
  }
}

/** Logs each turn into all-down and out of it. */
function sayAllDown(
  names: () => readonly string[],
  { log, clock }: ControlScope,
): (snapshot: Snapshot) => void {
  const down = new Set<string>();
  const seen = new Map<string, unknown>();
  return (snapshot) => {
    for (const name of names()) {
      const state = snapshot.pools[name];
      if (seen.get(name) === state) continue;
      seen.set(name, state);
      for (const family of [4, 6] as const) {
        const view = poolView(snapshot, name, family, clock.nowMs());
        if (!view || view.members.length === 0) continue;
        const what = `anycast: pool ${name} (IPv${family})`;
        const count = `${view.serving.length} of ${view.members.length} nodes serve`;
        if (view.allDown && !down.has(what)) {
          log.warn(`${what} is all-down: ${count}; answering by all-down ${view.policy.allDown.policy}`);
          down.add(what);
        } else if (!view.allDown && down.delete(what)) {
          log.info(`${what} is back: ${count}`);
        }
      }
    }
  };
}
