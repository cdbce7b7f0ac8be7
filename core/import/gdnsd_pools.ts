/**
 * gdnsd's resources as pools and nodes.
 *
 * @module
 */

import type { Position } from "../corefile/directive.ts";
import { formatName } from "../dns/name.ts";
import { parseAddress } from "../net/address.ts";
import { idOf, type NodeText, type PoolText } from "./emit.ts";
import { checkName } from "./gdnsd_checks.ts";
import type { Spot } from "./gdnsd_map.ts";
import type { Datacenter, Group, Member, Resolution } from "./gdnsd_resources.ts";
import type { DynamicRecord } from "./gdnsd_zone.ts";
import type { Findings } from "./imported.ts";

/** The most addresses that an answer has here. */
const ANSWERS_MAX = 16;

/** Where nodes are whose place does not matter. */
const ANYWHERE: Spot = { latitude: 0, longitude: 0 };

/** The nodes of a whole configuration, each once. */
export type Nodes = Map<string, NodeText>;

/** A pool that is being put together. */
interface Draft {
  readonly names: string[];
  readonly pool: string;
  readonly options: readonly string[];
}

/** The pools of one zone. */
export class ZonePools {
  /** Service types that its pools are checked by. */
  readonly checks = new Set<string>();
  /** Maps of geoip that its pools go by. */
  readonly maps = new Set<string>();
  /** Whether clients must be told apart by where they are. */
  needsGeo = false;
  readonly #drafts = new Map<string, Draft[]>();
  readonly #nodes: Nodes;
  readonly #placesOf: (map: string) => ReadonlyMap<string, Spot>;
  readonly #findings: Findings;

  constructor(nodes: Nodes, placesOf: (map: string) => ReadonlyMap<string, Spot>, findings: Findings) {
    [this.#nodes, this.#placesOf, this.#findings] = [nodes, placesOf, findings];
  }

  /** The pools, in the order of their names in the zone file. */
  get pools(): PoolText[] {
    return [...this.#drafts.values()].flat();
  }

  /** Gives a name to a resource. @returns Records for the zone file, where it needs no pool. */
  add({ name, type, reference, ttl, at }: DynamicRecord, resolution: Resolution): string[] {
    const owner = formatName(name);
    switch (resolution.kind) {
      case "nothing":
        return [];
      case "alias":
        if (type === "DYNC") return [`${owner} ${ttl.max} CNAME ${resolution.target}`];
        this.#findings.leftOut(at, reference, "DYNA answers with addresses, and this is an alias");
        return [];
      case "addresses":
        return resolution.addresses.map((address) =>
          `${owner} ${ttl.max} ${parseAddress(address)!.family === 4 ? "A" : "AAAA"} ${address}`
        );
    }
    const known = this.#drafts.get(reference);
    if (known) known[0]!.names.push(owner);
    else this.#drafts.set(reference, this.#draft(owner, reference, resolution, at));
    return [];
  }

  #draft(owner: string, reference: string, resolution: Resolution, at: Position): Draft[] {
    if (resolution.kind === "group") {
      return [{ names: [owner], pool: idOf(reference), options: this.#ofGroup(reference, resolution) }];
    }
    if (resolution.kind !== "datacenters") return [];
    const usable = resolution.datacenters.filter(({ name, to }) => {
      if (to.kind === "group" || to.kind === "datacenters") return true;
      if (to.kind !== "nothing") {
        this.#findings.leftOut(
          at,
          `${reference}/${name}`,
          "a pool has addresses of its own: no alias, nothing fixed",
        );
      }
      return false;
    });
    const [only, ...others] = usable;
    if (resolution.map !== undefined) return this.#nearest(owner, reference, usable, resolution.map, at);
    if (only && others.length === 0) return this.#draft(owner, reference, only.to, at);
    return usable.every(({ to }) => isOfOne(to))
      ? this.#inOrder(owner, reference, usable)
      : this.#chain(owner, reference, usable, at);
  }

  /** Datacenters of one address each, in a fixed order: the first that is up. */
  #inOrder(owner: string, reference: string, datacenters: readonly Datacenter[]): Draft[] {
    const pool = idOf(reference);
    const groups = datacenters.map(({ to }) => to as Group);
    datacenters.forEach(({ name }, i) =>
      this.#addNodes([pool, String(i + 1).padStart(2, "0"), name], pool, groups[i]!.members)
    );
    return [{ names: [owner], pool, options: this.#options(groups, { answers: 1, spot: ANYWHERE }) }];
  }

  /** Datacenters that stand in for each other as wholes: a pool each, the next when one is all-down. */
  #chain(owner: string, reference: string, datacenters: readonly Datacenter[], at: Position): Draft[] {
    const ownerOf = (i: number) => i === 0 ? owner : `${idOf(datacenters[i]!.name).toLowerCase()}.${owner}`;
    this.#findings.differs(
      at,
      reference,
      `a pool for each datacenter, of which ${
        datacenters.slice(1).map((_, i) => ownerOf(i + 1)).join(", ")
      } can be asked for too`,
    );
    return datacenters.flatMap(({ name, to }, i) => {
      const [draft] = this.#draft(ownerOf(i), `${reference}/${name}`, to, at);
      if (!draft) return [];
      const next = i + 1 < datacenters.length ? [`all-down pool ${ownerOf(i + 1)}`] : ["all-down fail-open"];
      return [{
        ...draft,
        options: [...draft.options.filter((option) => !option.startsWith("all-down")), ...next],
      }];
    });
  }

  /** The nearest datacenter that is up. */
  #nearest(
    owner: string,
    reference: string,
    datacenters: readonly Datacenter[],
    map: string,
    at: Position,
  ): Draft[] {
    this.needsGeo = true;
    this.maps.add(map);
    const pool = idOf(reference);
    const places = this.#placesOf(map);
    const groups = datacenters.flatMap(({ name, to }) => {
      const group = groupOf(to);
      if (!group) {
        this.#findings.leftOut(at, `${reference}/${name}`, "it refers to datacenters in their turn");
        return [];
      }
      this.#addNodes([pool, name], pool, group.members, places.get(name));
      return [group];
    });
    const sizes = groups.map((group) => sizeOf(group.members));
    if (sizes.some((size) => size !== 1)) {
      const why =
        "the nearest addresses that are up: where a datacenter lacks some, those of the next come after";
      this.#findings.differs(at, `${reference}: datacenters of several addresses`, why);
    }
    const [first] = datacenters;
    const spot = (first && places.get(first.name)) ?? ANYWHERE;
    return [{
      names: [owner],
      pool,
      options: this.#options(groups, { answers: Math.max(1, ...sizes), spot }),
    }];
  }

  #ofGroup(reference: string, group: Group): string[] {
    const pool = idOf(reference);
    const members = group.choose === "first"
      ? group.members.map((member, i) => ({ ...member, label: `${i + 1}-${member.label}` }))
      : group.members;
    this.#addNodes([pool], pool, members);
    if (group.choose === "weighted") this.needsGeo = true;
    return this.#options([group], {
      answers: group.choose === "all" ? sizeOf(members) : 1,
      spot: ANYWHERE,
      more: [
        ...group.choose === "weighted" ? ["ring 0% 1km"] : [],
        ...group.threshold > 0 ? [`threshold ${group.threshold}`] : [],
      ],
    });
  }

  #options(
    groups: readonly Group[],
    { answers, spot, more = [] }: { answers: number; spot: Spot; more?: readonly string[] },
  ): string[] {
    const checks = [...new Set(groups.flatMap((group) => group.checks))];
    for (const check of checks) this.checks.add(check);
    return [
      `check ${checks.map(checkName).join(" ")}`,
      `answers ${Math.min(answers, ANSWERS_MAX)}`,
      ...more,
      `unknown nearest ${spot.latitude} ${spot.longitude}`,
      "all-down fail-open",
    ];
  }

  /** A node for each address, or for an IPv4 and an IPv6 address that stand at the same place of their families. */
  #addNodes(words: readonly string[], pool: string, members: readonly Member[], spot: Spot = ANYWHERE): void {
    const families = byFamily(members);
    for (let i = 0; i < sizeOf(members); i++) {
      const pair = [families[4][i], families[6][i]].filter((member) => member !== undefined);
      const addresses = pair.map(({ address }) => address);
      const id = this.#idFor(pool, addresses, idOf(...words, pair[0]!.label));
      this.#nodes.set(id, { id, addresses, ...spot, weight: pair[0]!.weight, pool });
    }
  }

  /** That id, with a number behind it where a node of another pool has it: `g` at `eu` and `g/eu` read the same. */
  #idFor(pool: string, addresses: readonly string[], wanted: string): string {
    const isOther = (id: string) => {
      const node = this.#nodes.get(id);
      return node !== undefined && (node.pool !== pool || node.addresses.join() !== addresses.join());
    };
    let id = wanted;
    for (let n = 2; isOther(id); n++) id = `${wanted.slice(0, 59)}-${n}`;
    return id;
  }
}

function byFamily(
  members: readonly Member[],
): { readonly 4: readonly Member[]; readonly 6: readonly Member[] } {
  const of = (family: 4 | 6) => members.filter(({ address }) => parseAddress(address)?.family === family);
  return { 4: of(4), 6: of(6) };
}

/** How many nodes some addresses make. */
function sizeOf(members: readonly Member[]): number {
  const families = byFamily(members);
  return Math.max(families[4].length, families[6].length);
}

function isOfOne(to: Resolution): boolean {
  return to.kind === "group" && sizeOf(to.members) === 1;
}

/** The addresses behind a datacenter; of datacenters inside it, the first. */
function groupOf(to: Resolution): Group | undefined {
  if (to.kind === "group") return to;
  return to.kind === "datacenters" && to.datacenters[0] ? groupOf(to.datacenters[0].to) : undefined;
}
