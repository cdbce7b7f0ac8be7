/**
 * The pools of the store that a block answers: as they are told, with the nodes that there are for them.
 *
 * @module
 */

import type { PoolNodes } from "../../core/fleet/hub.ts";
import type { Node } from "../../core/fleet/node.ts";
import type { PoolPolicy } from "../../core/fleet/pool.ts";
import { type ManagedPool, policyOf } from "../../core/fleet/pool_terms.ts";
import { whyEmptiedByDistance, whyNoEnd } from "../../core/fleet/spill.ts";
import { type ControlScope, fold, formatName, isWithin, parseName } from "../../core/plugin.ts";
import { type ManagedConfig, selectNodes } from "./parse.ts";

/** One that is answered, and what it was made of. */
interface Answered {
  readonly pool: ManagedPool;
  readonly given: PoolNodes;
}

/** Gives the hub what is new in a turn at once, so that no snapshot has half of it. */
export class ManagedPools {
  readonly #config: ManagedConfig;
  readonly #scope: ControlScope;
  readonly #onNames: (names: readonly string[]) => void;
  #pools: readonly ManagedPool[] = [];
  /** The nodes there are for them; undefined until they are known. */
  #nodes: readonly Node[] | undefined;
  #answered: ReadonlyMap<string, Answered> = new Map();
  /** Those that pools were given last. */
  #given: readonly Node[] | undefined;
  /** Of {@linkcode takeNodes}. */
  #listed: readonly Node[] | undefined;
  /** What has been complained of. */
  #said: ReadonlySet<string> = new Set();

  /** @param onNames Hears which pools there are, before the hub hears of their nodes. */
  constructor(config: ManagedConfig, scope: ControlScope, onNames: (names: readonly string[]) => void) {
    [this.#config, this.#scope, this.#onNames] = [config, scope, onNames];
  }

  /** Takes pools as they are told from now on. In a server that only explains there is no store. */
  follow(): void {
    this.#scope.fleet.onManagedPools?.((pools) => {
      this.#pools = pools;
      this.#give();
    });
  }

  /** Takes the nodes that there are. @param listed Those of them that stand in a list. */
  takeNodes(nodes: readonly Node[], listed: readonly Node[]): void {
    if (!this.#listed || listed.length + this.#listed.length > 0 && listed !== this.#listed) {
      this.#tell(listed);
    }
    this.#nodes = nodes;
    this.#give();
  }

  /** Whoever changes pools is to know what they may say here. */
  #tell(listed: readonly Node[]): void {
    const { fleet, facts: { key, zones, checks = [] } } = this.#scope;
    this.#listed = listed;
    fleet.setTaker?.({
      ...{ block: key, zones: zones.map(formatName), checks, nodes: listed },
      registered: this.#config.nodes.registered ?? false,
    });
  }

  #give(): void {
    const nodes = this.#nodes;
    if (!nodes) return;
    const complaints = new Set<string>(), before = this.#answered;
    const hasOtherNodes = nodes !== this.#given;
    this.#given = nodes;
    const own = this.#pools.filter((pool) => this.#isOurs(pool, complaints));
    const policyNamed = this.#policies(own);
    const answered = new Map(own.map((pool): [string, Answered] => {
      const policy = sound(policyNamed(pool.name)!, policyNamed, complaints), old = before.get(pool.name);
      const isAsBefore = old?.pool === pool && old.given.policy.allDown.policy === policy.allDown.policy;
      if (isAsBefore && !hasOtherNodes) return [pool.name, old];
      const given = this.#givenTo(pool, policy, nodes);
      const isSame = old?.pool === pool && isSameGift(old.given, given);
      return [pool.name, isSame ? old : { pool, given }];
    }));
    const gone = [...before.keys()].filter((name) => !answered.has(name));
    const changed = answered.values().filter((one) => before.get(one.pool.name) !== one).toArray();
    this.#answered = answered;
    this.#complain(complaints);
    if (changed.length + gone.length === 0) return;
    if (gone.length > 0 || changed.some(({ pool: { name } }) => !before.has(name))) {
      this.#onNames([...answered.keys()]);
    }
    this.#scope.fleet.setPools(changed.map(({ given }) => given), gone);
  }

  /** What the Corefile names is the Corefile's. */
  #isOurs({ name: text }: ManagedPool, complaints: Set<string>): boolean {
    const { zones, owned, declaredPools = [] } = this.#scope.facts, name = fold(parseName(text));
    if (!zones.some((zone) => isWithin(name, zone))) return false;
    const isTaken = owned.some((own) => own.name === name) || declaredPools.some((own) => own.name === text);
    if (isTaken) complaints.add(`${text}: the Corefile has a pool of this name, which is answered instead`);
    return !isTaken;
  }

  #policies(own: readonly ManagedPool[]): (name: string) => PoolPolicy | undefined {
    const policies = new Map(own.map((pool) => [pool.name, policyOf(pool.name, pool)]));
    for (const policy of this.#scope.facts.declaredPools ?? []) policies.set(policy.name, policy);
    return (name) => policies.get(name);
  }

  #givenTo(
    { members, checks = this.#config.checks }: ManagedPool,
    policy: PoolPolicy,
    nodes: readonly Node[],
  ): PoolNodes {
    const selected = selectNodes(nodes, policy.select), ids = members && new Set(members);
    return {
      ...{ policy, block: this.#scope.facts.key, isManaged: true, ...checks && { checks } },
      ...this.#config.nodes.registered && { takesRegistered: true },
      nodes: ids ? selected.filter(({ id }) => ids.has(id)) : selected,
    };
  }

  /** Says what is wrong once, while it stands. */
  #complain(complaints: ReadonlySet<string>): void {
    for (const complaint of complaints) {
      if (!this.#said.has(complaint)) this.#scope.log.error(`anycast: managed pool ${complaint}`);
    }
    this.#said = complaints;
  }
}

/** Pools are changed one by one, the Corefile too: what no longer leads anywhere must not end all answers. */
function sound(
  policy: PoolPolicy,
  policyNamed: (name: string) => PoolPolicy | undefined,
  complaints: Set<string>,
): PoolPolicy {
  const why = whyNoEnd(policy, policyNamed) ?? whyEmptiedByDistance(policy, policyNamed);
  if (why === undefined) return policy;
  complaints.add(`${policy.name}: ${why}; the nodes that served last are answered instead`);
  return { ...policy, allDown: { policy: "last-known-good" } };
}

/** Whether two come to the same: the same policy and nodes that are the same objects. */
function isSameGift(a: PoolNodes, b: PoolNodes): boolean {
  return a.nodes.length === b.nodes.length && a.nodes.every((node, i) => node === b.nodes[i]) &&
    a.policy.allDown.policy === b.policy.allDown.policy;
}
