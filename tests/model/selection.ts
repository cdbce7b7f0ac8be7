/**
 * The model of docs/decisions/0001-answers.md: which nodes a client gets, and within which prefix everyone gets the
 * same. Written from the page, slow on purpose, sharing no code with the server. What the server computes by
 * rankings, tables and merged partitions, this computes by trying everything.
 *
 * @module
 */

export interface ModelNode {
  id: string;
  latitude: number;
  longitude: number;
  country: string;
  subdivision: string;
  weight: number;
  /** Out by the operator's word, an override or a maintenance window. */
  out: boolean;
  down: boolean;
  degraded: boolean;
  ramp: number;
  /** The region it stands in; absent = none. */
  region?: string;
  /** What is said of it in regions that have opinions of their own. */
  saidIn?: Record<string, { down: boolean; degraded: boolean; ramp: number }>;
  /** Metres, added to its distance in steps 4 and 5; 0 by default. */
  priceM?: number;
}

export interface ModelPolicy {
  name: string;
  answers: number;
  strategy: "linear" | "quadratic" | "logarithmic" | "stepped";
  compat?: boolean;
  region: number;
  country: number;
  biasMaxKm: number;
  maxDistanceKm: number;
  ring?: { share: number; km: number };
  threshold: number;
  unknown:
    | { policy: "nearest"; latitude: number; longitude: number }
    | { policy: "nodes"; nodes: string[] }
    | { policy: "all" };
  allDown: { policy: "last-known-good" | "fail-open" | "nodata" | "servfail" } | {
    policy: "pool";
    pool: string;
  };
}

export interface ModelPool {
  policy: ModelPolicy;
  /** The nodes that have an address of the answer's family. */
  nodes: ModelNode[];
  lastServing: string[];
}

export interface ModelPlace {
  latitude: number;
  longitude: number;
  country: string;
  subdivision: string;
}

/** A leaf: its family, its first address as octets, its length. */
export interface ModelLeaf {
  family: 4 | 6;
  octets: number[];
  length: number;
}

export type ModelAnswer = string[] | "nodata" | "servfail";

/** The ids of the nodes in the answer, best first. */
export function modelAnswer(
  pools: Record<string, ModelPool>,
  name: string,
  leaf: ModelLeaf,
  place: ModelPlace | undefined,
): ModelAnswer {
  const { policy, lastServing } = pools[name]!;
  const nodes = asSeenFrom(pools, name, place);
  const serving = nodes.filter((node) => !node.out && !node.down);
  const poolDown = isPoolDown(policy, nodes);
  if (!poolDown) {
    const chosen = choose(policy, serving, leaf, place, false);
    if (chosen.length > 0) return chosen;
  }
  if (policy.allDown.policy === "pool") return modelAnswer(pools, policy.allDown.pool, leaf, place);
  if (policy.allDown.policy === "nodata" || policy.allDown.policy === "servfail") {
    return policy.allDown.policy;
  }
  const settled = nodes.map((node) => ({ ...node, ramp: 1 }));
  const willing = settled.some((node) => !node.out) ? settled.filter((node) => !node.out) : settled;
  // With the pool up, and only this place out of reach, the last instant at which it was not all-down is now.
  const last = poolDown ? lastServing : serving.map(({ id }) => id);
  const remembered = settled.filter((node) => last.includes(node.id) && !node.out);
  const candidates = policy.allDown.policy === "last-known-good" && remembered.length > 0
    ? remembered
    : willing;
  const within = choose(policy, candidates, leaf, place, false);
  return within.length > 0 ? within : choose(policy, candidates, leaf, place, true);
}

function isPoolDown(policy: ModelPolicy, nodes: ModelNode[]): boolean {
  const serving = nodes.filter((node) => !node.out && !node.down);
  return serving.length === 0 || (policy.threshold > 0 && serving.length / nodes.length < policy.threshold);
}

/** Section "Whose verdicts": the nodes as the region of the nearest of them has them, where it may say. */
function asSeenFrom(
  pools: Record<string, ModelPool>,
  name: string,
  place: ModelPlace | undefined,
): ModelNode[] {
  const { policy, nodes } = pools[name]!;
  if (!place || !nodes.some(({ saidIn }) => saidIn)) return nodes;
  const nearest = [...nodes].sort((a, b) =>
    metres(place, a) - metres(place, b) || (a.id < b.id ? -1 : a.id > b.id ? 1 : 0)
  )[0]!;
  const own = nodes.map((node) => ({ ...node, ...node.saidIn?.[nearest.region ?? ""] }));
  if (isPoolDown(policy, own)) return nodes;
  let last = policy;
  while (last.allDown.policy === "pool") last = pools[last.allDown.pool]!.policy;
  const mayBeEmpty = last.allDown.policy === "nodata" || last.allDown.policy === "servfail";
  return mayBeEmpty && isPoolDown(policy, nodes) ? nodes : own;
}

/** Who is picked from candidates, best first, and what of the field mattered to that. */
export interface ModelPick {
  chosen: string[];
  /** The members of every ring that was formed. */
  ring: string[];
  /** From which node d0 was counted, where it matters: with a bias. */
  nearest: string[];
  /** Candidates that were not admitted. */
  resting: string[];
}

function choose(
  policy: ModelPolicy,
  candidates: ModelNode[],
  leaf: ModelLeaf,
  place: ModelPlace | undefined,
  anyDistance: boolean,
): string[] {
  return modelPick(policy, candidates, leaf, place, anyDistance).chosen;
}

/** Steps 2 to 6. */
export function modelPick(
  policy: ModelPolicy,
  candidates: ModelNode[],
  leaf: ModelLeaf,
  place: ModelPlace | undefined,
  anyDistance: boolean,
): ModelPick {
  const listed = (chosen: string[]) => ({ chosen, ring: [], nearest: [], resting: [] });
  const byId = [...candidates].sort((a, b) => a.id < b.id ? -1 : a.id > b.id ? 1 : 0);
  if (!place && policy.unknown.policy === "all") return listed(byId.map(({ id }) => id));
  if (!place && policy.unknown.policy === "nodes") {
    const named = policy.unknown.nodes.filter((id) => byId.some((node) => node.id === id));
    return listed((named.length > 0 ? named : byId.map(({ id }) => id)).slice(0, policy.answers));
  }
  const from = modelPoint(policy, place)!;
  const reachable = byId.filter((node) =>
    anyDistance || policy.compat || metres(from, node) <= policy.maxDistanceKm * 1000
  );
  const resting = reachable.filter((node) =>
    node.ramp < 1 && u("ramp", policy.name, leaf, node.id) >= node.ramp
  );
  const admitted = reachable.filter((node) => !resting.includes(node));
  const groups = admitted.length === 0 ? [reachable] : [admitted, resting];
  const orders = groups.map((group) => ordered(policy, group, leaf, from));
  const reached = orders[0]!.order.length < policy.answers ? orders : [orders[0]!];
  return {
    chosen: reached.flatMap(({ order }) => order).slice(0, policy.answers),
    ring: reached.flatMap(({ ring }) => ring),
    nearest: !policy.compat && (policy.region > 0 || policy.country > 0)
      ? reached.flatMap(({ nearest }) => nearest)
      : [],
    resting: resting.map(({ id }) => id),
  };
}

/** Where the pool takes a client to be; undefined where it goes by a list. */
export function modelPoint(policy: ModelPolicy, place: ModelPlace | undefined): ModelPlace | undefined {
  if (place || policy.unknown.policy !== "nearest") return place;
  const { latitude, longitude } = policy.unknown;
  return { latitude, longitude, country: "", subdivision: "" };
}

/** Steps 4 and 5: repeatedly takes the best of what is left, comparing every pair. */
function ordered(
  policy: ModelPolicy,
  nodes: ModelNode[],
  leaf: ModelLeaf,
  from: ModelPlace,
): { order: string[]; ring: string[]; nearest: string[] } {
  if (nodes.length === 0) return { order: [], ring: [], nearest: [] };
  const d = (node: ModelNode) => metres(from, node) + (policy.compat ? 0 : node.priceM ?? 0);
  const nearest = Math.min(...nodes.map(d));
  const shares = (a: string, b: string) => a !== "" && a === b;
  const compatBonus = (node: ModelNode) =>
    shares(from.subdivision, node.subdivision)
      ? policy.region
      : shares(from.country, node.country)
      ? policy.country
      : 0;
  const ownBonus = (node: ModelNode) =>
    from.country === "" || from.country !== node.country
      ? 0
      : from.subdivision !== "" && from.subdivision === node.subdivision
      ? policy.region
      : policy.country;
  const bonus = policy.compat ? compatBonus : ownBonus;
  const score = (node: ModelNode) =>
    policy.compat && d(node) > policy.maxDistanceKm * 1000
      ? 0
      : strategyScore(policy.strategy, d(node) / 1000) * (1 - policy.region) + bonus(node);
  const biased = policy.region > 0 || policy.country > 0;
  const favoured = (node: ModelNode) => biased && d(node) <= nearest + policy.biasMaxKm * 1000;
  const before = (a: ModelNode, b: ModelNode): boolean => {
    if (policy.compat) return score(a) !== score(b) ? score(a) > score(b) : a.id < b.id;
    if (favoured(a) !== favoured(b)) return favoured(a);
    if (favoured(a) && score(a) !== score(b)) return score(a) > score(b);
    return d(a) !== d(b) ? d(a) < d(b) : a.id < b.id;
  };
  const base = takeAll(nodes, before);
  const ids = (some: ModelNode[]) => some.map(({ id }) => id);
  const first = takeAll(nodes, (a, b) => d(a) !== d(b) ? d(a) < d(b) : a.id < b.id)[0]!;
  if (!policy.ring) return { order: ids(base), ring: [], nearest: [first.id] };
  const best = base[0]!;
  const limit = Math.max(d(best) * (1 + policy.ring.share), d(best) + policy.ring.km * 1000);
  const inRing = (node: ModelNode) => bonus(node) === bonus(best) && d(node) <= limit;
  const pick = (node: ModelNode) =>
    (node.degraded ? node.weight / 2 : node.weight) / -Math.log(u("pick", policy.name, leaf, node.id));
  const ring = takeAll(
    base.filter(inRing),
    (a, b) => pick(a) !== pick(b) ? pick(a) > pick(b) : d(a) !== d(b) ? d(a) < d(b) : a.id < b.id,
  );
  return {
    order: ids([...ring, ...base.filter((node) => !inRing(node))]),
    ring: ids(ring),
    nearest: [first.id],
  };
}

function takeAll(nodes: ModelNode[], before: (a: ModelNode, b: ModelNode) => boolean): ModelNode[] {
  const left = [...nodes], taken: ModelNode[] = [];
  while (left.length > 0) {
    const best = left.find((node) => left.every((other) => other === node || !before(other, node)))!;
    taken.push(...left.splice(left.indexOf(best), 1));
  }
  return taken;
}

/** Great-circle metres by the haversine, rounded. */
export function metres(
  a: { latitude: number; longitude: number },
  b: { latitude: number; longitude: number },
): number {
  const radians = Math.PI / 180;
  const half = (x: number) => Math.sin(x / 2) ** 2;
  const h = half((b.latitude - a.latitude) * radians) +
    Math.cos(a.latitude * radians) * Math.cos(b.latitude * radians) *
      half((b.longitude - a.longitude) * radians);
  return Math.round(2 * 6371000 * Math.asin(Math.min(1, Math.sqrt(h))));
}

export function strategyScore(strategy: ModelPolicy["strategy"], km: number): number {
  const linear = 1 - Math.min(km / 20000, 1);
  if (strategy === "linear") return linear;
  if (strategy === "quadratic") return linear * linear;
  if (strategy === "logarithmic") return km < 1 ? 1 : 1 - Math.max(0, Math.min(1, Math.log(km) / 10));
  return km < 100 ? 1 : km < 500 ? 0.8 : km < 2000 ? 0.6 : km < 5000 ? 0.4 : 0.2;
}

/** The hash of the page. */
export function u(use: "pick" | "ramp", pool: string, leaf: ModelLeaf, id: string): number {
  const key = [use, pool, id, leaf.family, leaf.length, leaf.octets].join(" ");
  let known = drawn.get(key);
  if (known === undefined) drawn.set(key, known = draw(use, pool, leaf, id));
  return known;
}

const drawn = new Map<string, number>();

/** In BigInt arithmetic, so that no step can overflow unseen; hence slow, and remembered. */
function draw(use: "pick" | "ramp", pool: string, leaf: ModelLeaf, id: string): number {
  const node = fnv([...new TextEncoder().encode(`${use}\0${pool}\0${id}`)]);
  const mixed = mix(fnv([leaf.family, leaf.length, ...leaf.octets]) ^ mix(node));
  return (Number(mixed) + 0.5) / 2 ** 32;
}

const WORD = 0xffffffffn;

function fnv(octets: number[]): bigint {
  return octets.reduce((hash, octet) => ((hash ^ BigInt(octet)) * 0x01000193n) & WORD, 0x811c9dc5n);
}

function mix(h: bigint): bigint {
  h ^= h >> 16n;
  h = (h * 0x85ebca6bn) & WORD;
  h ^= h >> 13n;
  h = (h * 0xc2b2ae35n) & WORD;
  return h ^ (h >> 16n);
}

/**
 * The scope of the client at leaf `index`: from the leaf's own length, one bit shorter as long as every leaf below
 * that prefix is whole, not special, and has an equal answer.
 */
export function modelScope(
  leaves: { leaf: ModelLeaf; special: boolean; answer: string }[],
  index: number,
): number {
  const { leaf, special, answer } = leaves[index]!;
  if (special) return leaf.length;
  for (let length = leaf.length; length > 0; length--) {
    const below = leaves.filter((other) => commonBits(other.leaf.octets, leaf.octets) >= length - 1);
    if (below.some((other) => other.special || other.answer !== answer)) return length;
  }
  return 0;
}

function commonBits(a: number[], b: number[]): number {
  for (let bit = 0; bit < a.length * 8; bit++) {
    const at = bit >> 3, shift = 7 - (bit & 7);
    if (((a[at]! ^ b[at]!) >> shift) & 1) return bit;
  }
  return a.length * 8;
}
