/**
 * Reads `anycast` directives.
 *
 * @module
 */

import type { Position } from "../../core/corefile/directive.ts";
import { readRegularTextFile, reasonOf } from "../../core/files.ts";
import { readNodes } from "../../core/fleet/nodes_file.ts";
import type { Node } from "../../core/fleet/node.ts";
import type { PoolPolicy } from "../../core/fleet/pool.ts";
import { degradeProblem } from "../../core/fleet/pool_terms.ts";
import { reachKm } from "../../core/fleet/score.ts";
import { TYPE } from "../../core/dns/types.ts";
import {
  Arguments,
  type BlockFacts,
  type Directive,
  fold,
  formatName,
  isWithin,
  type Name,
  nearest,
  type Options,
  parseName,
  type ParseScope,
  type Problems,
  readOptions,
  type Token,
} from "../../core/plugin.ts";
import { type NodesOption, options, policyOf, poolName } from "./options.ts";

/** One `anycast` directive. Plain data. */
export interface PoolConfig {
  readonly policy: PoolPolicy;
  /** Folded. */
  readonly owners: readonly Name[];
  /**
   * `lists`: those of a file, those that registered themselves, or both. `below`: the addresses are those of the RRset from
   * the plugins below; the file, if any, says where they are.
   */
  readonly nodes: {
    readonly from: "lists" | "below";
    readonly path?: string;
    /** Those too that registered themselves. */
    readonly registered?: true;
  };
  /** Names of the checks that decide; absent = every check of the block. */
  readonly checks?: readonly string[];
}

/** `anycast managed`: how pools that are managed through the interface are answered here. Plain data. */
export interface ManagedConfig {
  readonly at: Position;
  readonly nodes: PoolConfig["nodes"];
  /** Names of the checks that decide over pools that name none; absent = every check of the block. */
  readonly checks?: readonly string[];
}

/** What all `anycast` directives of a block say. */
export interface AnycastConfig {
  readonly pools: readonly PoolConfig[];
  readonly managed?: ManagedConfig;
}

/** Reads `anycast NAME... { ... }`, and every node list, so that `check` shows what is wrong in it. */
export function parse(directives: readonly Directive[], scope: ParseScope): AnycastConfig {
  const lists = new Map<string, readonly Node[] | undefined>();
  const listAt = (file: Token) => {
    const path = scope.path(file);
    if (!lists.has(path)) lists.set(path, readList(path, file, scope));
    return lists.get(path);
  };
  const taken = new Set<Name>();
  const [managed, again] = directives.filter(isOfManaged);
  if (again) scope.problems.error(again.name, "anycast: `anycast managed` stands twice in this server block");
  const config = managed && scope.problems.attempt(() => readManaged(managed, listAt, scope));
  return {
    ...config && { managed: config },
    pools: directives.filter((directive) => !isOfManaged(directive)).flatMap((directive) => {
      const owners = readOwners(directive, taken, scope);
      const pool = scope.problems.attempt(() => readPool(directive, owners, listAt, scope));
      if (pool) declare(pool, directive.name, scope);
      return pool ?? [];
    }),
  };
}

/** Whether it is for managed pools; `managed.` and `"managed"` are names. */
function isOfManaged({ args: [first] }: Directive): boolean {
  return first?.text === "managed" && !first.quoted;
}

/** What a managed pool says of itself is the same on every server: here stands what only a server's own disk knows. */
const managedOptions = { nodes: options.nodes, check: options.check } satisfies Options;

function readManaged(
  directive: Directive,
  listAt: (file: Token) => readonly Node[] | undefined,
  { problems, path, wantCheck, sharesState, takePools }: ParseScope,
): ManagedConfig {
  const { name, args: [, extra], block = [] } = directive;
  if (extra) {
    problems.error(extra, "anycast: managed stands for every pool of the store: want no name beside it");
  }
  if (!sharesState) problems.error(name, `anycast: managed wants a store, in which pools lie: ${STORE}`);
  const others = block.filter(({ name }) => name.text in options && !(name.text in managedOptions));
  for (const { name } of others) {
    problems.error(name, `anycast: ${name.text} cannot go with managed: each managed pool says so itself`);
  }
  const own = { ...directive, block: block.filter((line) => !others.includes(line)) };
  const { nodes = REGISTRY, check } = readOptions(own, managedOptions, problems);
  const line = block.find(({ name }) => name.text === "nodes");
  if (nodes.kind === "below") {
    problems.error(
      line!.name,
      "anycast: nodes below cannot go with managed: its pools have nodes of their own",
    );
  }
  if (nodes.registry && line && !sharesState) wantStore(nodes.registry, problems);
  if (nodes.file) listAt(nodes.file);
  for (const { name, args } of block) if (name.text === "check") args.forEach(wantCheck);
  takePools(name);
  return { at: name.at, nodes: nodesOf(nodes, path), ...check && { checks: check } };
}

const REGISTRY: NodesOption = {
  kind: "lists",
  registry: { text: "registry", quoted: false, at: { file: "", line: 0, column: 0 } },
};

function readOwners(
  directive: Directive,
  taken: Set<Name>,
  { problems, zones }: ParseScope,
): readonly Name[] {
  const args = new Arguments(directive);
  const tokens = [problems.attempt(() => args.token("NAME")), ...args.rest()];
  return tokens.flatMap((token) => {
    const text = token && problems.attempt(() => poolName(token));
    if (!token || text === undefined) return [];
    const name = fold(parseName(text));
    if (!zones.some((zone) => isWithin(name, zone))) {
      const wanted = zones.map(formatName).join(" or ");
      problems.error(token, `anycast: ${text} does not lie in this server block: want a name in ${wanted}`);
    }
    if (taken.has(name)) problems.error(token, `anycast: ${text} stands twice in this server block`);
    taken.add(name);
    return [name];
  });
}

function readPool(
  directive: Directive,
  owners: readonly Name[],
  listAt: (file: Token) => readonly Node[] | undefined,
  { problems, path, wantCheck, sharesState }: ParseScope,
): PoolConfig | undefined {
  const values = readOptions(directive, options, problems);
  const { nodes } = values;
  if (!nodes) {
    if (!directive.block?.some(({ name }) => name.text === "nodes")) {
      problems.error(
        directive.name,
        "anycast: has no nodes: want `nodes FILE`, such as `nodes nodes.yaml`, or `nodes registry`",
      );
    }
    return undefined;
  }
  if (nodes.registry && !sharesState) wantStore(nodes.registry, problems);
  const list = nodes.file && listAt(nodes.file);
  const first = owners[0];
  if (first === undefined) return undefined;
  const policy = policyOf(formatName(first), values);
  checkPolicy(policy, directive, nodes, list, problems);
  const named = (directive.block ?? []).filter(({ name }) => name.text === "check").flatMap(({ args }) =>
    args
  );
  for (const token of named) wantCheck(token);
  return {
    policy,
    owners,
    nodes: nodesOf(nodes, path),
    ...values.check && { checks: values.check },
  };
}

function nodesOf({ kind, file, registry }: NodesOption, path: ParseScope["path"]): PoolConfig["nodes"] {
  return { from: kind, ...file && { path: path(file) }, ...registry && { registered: true } };
}

function wantStore(registry: Token, problems: ParseScope["problems"]): void {
  problems.error(
    registry,
    `anycast: nodes registry wants a store, in which nodes register themselves: ${STORE}`,
  );
}

const STORE = "`state sqlite FILE` or `state etcd URL...` in the global options";

/** Looks whether there are zones that names of managed pools can be laid over. */
export function verify({ managed }: AnycastConfig, { plugins }: BlockFacts, problems: Problems): void {
  if (!managed || plugins.includes("managed")) return;
  problems.error(
    managed.at,
    "anycast: managed wants `managed` in its server block, for its pools' names lie in the zones of that",
  );
}

/** What the options mean together, and with the nodes. */
function checkPolicy(
  policy: PoolPolicy,
  directive: Directive,
  nodes: NodesOption,
  list: readonly Node[] | undefined,
  problems: ParseScope["problems"],
): void {
  const blame = (option: string) => directive.block?.find(({ name }) => name.text === option) ?? directive;
  const { allDown, unknown } = policy;
  if (reachKm(policy) < Infinity && (allDown.policy === "nodata" || allDown.policy === "servfail")) {
    problems.error(
      blame("all-down").name,
      `anycast: all-down ${allDown.policy} cannot go with max-distance: where a client is must not decide ` +
        "whether a name exists",
    );
  }
  const wrong = degradeProblem(policy);
  if (wrong !== undefined) problems.error(blame("degrade").name, `anycast: ${wrong}`);
  if (nodes.kind === "below") {
    for (const option of [...allDown.policy === "pool" ? ["all-down"] : [], "check", "degrade"]) {
      const line = directive.block?.find(({ name }) => name.text === option);
      if (line) problems.error(line.name, `anycast: ${option} cannot go with nodes below: ${WHY_NOT_BELOW}`);
    }
  }
  // Who registers later is not known now.
  if (!list || nodes.kind !== "lists" || nodes.registry) return;
  const selected = selectNodes(list, policy.select);
  if (selected.length === 0) {
    problems.error(
      blame("select").name,
      `anycast: none of the ${list.length} nodes is selected: want at least one`,
    );
  } else if (policy.degrade && selected.every(({ region }) => region === "")) {
    problems.error(
      blame("degrade").name,
      "anycast: degrade wants nodes of regions, and none of this pool has one: `region` in the node list",
    );
  } else if (unknown.policy === "nodes") {
    const ids = selected.map(({ id }) => id);
    for (const token of blame("unknown").args.filter(({ text }) => unknown.nodes.includes(text))) {
      if (ids.includes(token.text)) continue;
      const guess = nearest(token.text, ids);
      const hint = guess ? `; did you mean '${guess}'?` : "";
      problems.error(token, `anycast: unknown nodes: no node of this pool is called '${token.text}'${hint}`);
    }
  }
}

const WHY_NOT_BELOW = "no pool is made of these addresses, and what probes them is `health` with `watch`";

/** The nodes that have every label asked for. */
export function selectNodes(nodes: readonly Node[], select: PoolPolicy["select"]): Node[] {
  const wanted = Object.entries(select);
  return nodes.filter(({ labels }) =>
    wanted.every(([key, value]) => Object.hasOwn(labels, key) && labels[key] === value)
  );
}

function readList(path: string, file: Token, { problems }: ParseScope): readonly Node[] | undefined {
  let text: string;
  try {
    text = readRegularTextFile(path);
  } catch (error) {
    problems.error(file, `anycast: cannot read the node list '${path}': ${reasonOf(error)}`);
    return undefined;
  }
  const found = problems.errors.length;
  const nodes = readNodes(text, path, problems);
  return problems.errors.length > found ? undefined : nodes;
}

function declare({ policy, owners, nodes }: PoolConfig, token: Token, scope: ParseScope): void {
  // What ranks an RRset from below has no state of its own that another pool could spill to.
  if (nodes.from === "below") return;
  scope.declarePool(policy, token);
  for (const name of owners) scope.ownName({ name, types: [TYPE.A, TYPE.AAAA], pool: policy.name });
}
