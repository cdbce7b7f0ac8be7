/**
 * What the right-hand side of gdnsd's DYNA and DYNC records stands for: `plugin!resource[/datacenter]`, looked up in
 * the plugins' configuration as their manual pages describe it.
 *
 * @module
 */

import type { Position } from "../corefile/directive.ts";
import { parseAddress } from "../net/address.ts";
import type { Findings } from "./imported.ts";
import {
  at as valueAt,
  entriesOf,
  isTrue,
  itemsOf,
  numberOf,
  type Table,
  type Vscf,
  wordOf,
  wordsOf,
} from "./vscf.ts";

/** An address of a resource, by its label. */
export interface Member {
  readonly label: string;
  readonly address: string;
  readonly weight: number;
}

/** Addresses that are chosen among by their health. */
export interface Group {
  readonly kind: "group";
  /** Every one that is up, the first that is, or one by weight. */
  readonly choose: "all" | "first" | "weighted";
  readonly members: readonly Member[];
  /** The share that must be up. */
  readonly threshold: number;
  /** Names of service types. */
  readonly checks: readonly string[];
}

/** Groups that stand in for each other. */
export interface Datacenter {
  readonly name: string;
  readonly to: Resolution;
}

/** What a resource comes to. */
export type Resolution =
  | Group
  | { readonly kind: "addresses"; readonly addresses: readonly string[] }
  | { readonly kind: "alias"; readonly target: string }
  /** The first datacenter that is up, in this order, or nearest first by a map. */
  | { readonly kind: "datacenters"; readonly datacenters: readonly Datacenter[]; readonly map?: string }
  /** It cannot be turned; a finding says why. */
  | { readonly kind: "nothing" };

const NOTHING: Resolution = { kind: "nothing" };

/** Keys of a resource that are not labels of addresses. */
const PARAMETERS = ["service_types", "up_thresh", "ignore_health", "multi", "plugin", "addrs_v4", "addrs_v6"];

/** How deep resources may refer to each other; gdnsd itself does not find loops. */
const DEPTH_MAX = 8;

/** Looks resources up. */
export class Resources {
  readonly #plugins: Vscf | undefined;
  readonly #findings: Findings;

  constructor(plugins: Vscf | undefined, findings: Findings) {
    [this.#plugins, this.#findings] = [plugins, findings];
  }

  /** The maps of geoip, by name. */
  get maps(): Vscf | undefined {
    return valueAt(valueAt(this.#plugins, "geoip"), "maps");
  }

  /** What `plugin!resource` comes to; `at` is where it is asked for. */
  resolve(reference: string, at: Position, depth = 0): Resolution {
    const [plugin, resource = ""] = reference.split("!", 2) as [string, string?];
    if (depth > DEPTH_MAX) {
      return this.#nothing(at, reference, "resources refer to each other too deep, or in a circle");
    }
    const configuration = valueAt(this.#plugins, plugin);
    switch (plugin) {
      case "null":
        return { kind: "addresses", addresses: ["0.0.0.0", "::"] };
      case "static":
        return this.#static(reference, valueAt(configuration, resource), at);
      case "multifo":
      case "simplefo":
      case "weighted":
        return this.#group(plugin, reference, valueAt(configuration, resource), [configuration], at);
      case "metafo":
      case "geoip":
        return this.#datacenters(plugin, reference, resource, configuration, at, depth);
      case "reflect":
        return this.#nothing(at, reference, "whoami tells clients their address, in records of its own");
      default:
        return this.#nothing(at, reference, `there is nothing like plugin ${plugin}`);
    }
  }

  #nothing(at: Position, reference: string, why: string): Resolution {
    this.#findings.leftOut(at, reference, why);
    return NOTHING;
  }

  #static(reference: string, value: Vscf | undefined, at: Position): Resolution {
    const word = wordOf(value);
    if (word === undefined) return this.#nothing(at, reference, "there is no such resource");
    return parseAddress(word) ? { kind: "addresses", addresses: [word] } : { kind: "alias", target: word };
  }

  /** A resource of multifo, simplefo or weighted; `above` is what its parameters are inherited from, innermost last. */
  #group(
    plugin: string,
    reference: string,
    value: Vscf | undefined,
    above: readonly (Vscf | undefined)[],
    at: Position,
  ): Resolution {
    if (!value) return this.#nothing(at, reference, "there is no such resource");
    const families = [valueAt(value, "addrs_v4"), valueAt(value, "addrs_v6")].filter((family) => family);
    const scopes = [...above, value];
    const members = (families.length > 0 ? families : [value]).flatMap((family) =>
      this.#members(reference, family!)
    );
    const alias = members.find(({ address }) => !parseAddress(address));
    if (alias) {
      if (members.length > 1) {
        this.#findings.leftOut(at, reference, `an alias is one here: taking ${alias.address} for good`);
      }
      return { kind: "alias", target: alias.address };
    }
    if (members.length === 0) return this.#nothing(at, reference, "it has no address");
    const inherited = (key: string) => scopes.map((scope) => valueAt(scope, key)).findLast((one) => one);
    if (isTrue(inherited("multi"))) {
      this.#findings.leftOut(at, `${reference}: multi`, "each answer has one address, chosen by weight");
    }
    if (isTrue(inherited("ignore_health"))) {
      this.#findings.leftOut(at, `${reference}: ignore_health`, "addresses that are down are left out");
    }
    const checks = wordsOf(inherited("service_types"));
    return {
      kind: "group",
      choose: plugin === "multifo" ? "all" : plugin === "simplefo" ? "first" : "weighted",
      members: plugin === "simplefo" ? primaryFirst(members) : members,
      threshold: plugin === "simplefo" ? 0 : numberOf(inherited("up_thresh")) ?? 0.5,
      checks: checks.length > 0 ? checks : ["up"],
    };
  }

  /** Labels and addresses, with a weight where they are pairs. */
  #members(reference: string, value: Vscf): Member[] {
    if (value.kind !== "table") {
      return itemsOf(value).flatMap((item, i) =>
        item.kind === "word" ? { label: String(i + 1), address: item.text, weight: 1 } : []
      );
    }
    return entriesOf(value).filter(([key]) => !PARAMETERS.includes(key)).flatMap(([label, one]) => {
      if (one.kind === "word") return { label, address: one.text, weight: 1 };
      if (one.kind === "list") {
        const [address, weight] = one.items;
        return { label, address: wordOf(address) ?? "", weight: numberOf(weight) ?? 1 };
      }
      this.#findings.leftOut(
        one.at,
        `${reference}: group ${label}`,
        "weights are of addresses, not of groups of them",
      );
      return this.#members(reference, one).map((member) => ({
        ...member,
        label: `${label}-${member.label}`,
      }));
    });
  }

  #datacenters(
    plugin: "metafo" | "geoip",
    reference: string,
    resource: string,
    configuration: Vscf | undefined,
    at: Position,
    depth: number,
  ): Resolution {
    const slash = resource.lastIndexOf("/");
    const name = slash < 0 ? resource : resource.slice(0, slash);
    const value = valueAt(valueAt(configuration, "resources"), name);
    if (value?.kind !== "table") return this.#nothing(at, reference, "there is no such resource");
    const map = wordOf(valueAt(value, "map"));
    const names = plugin === "metafo"
      ? wordsOf(valueAt(value, "datacenters"))
      : wordsOf(valueAt(valueAt(this.maps, map ?? ""), "datacenters"));
    const dcmap = valueAt(value, "dcmap");
    const datacenters = names.flatMap((dc) => {
      const one = valueAt(dcmap, dc);
      return one
        ? { name: dc, to: this.#datacenter(`${reference}/${dc}`, one, [configuration, value], depth) }
        : [];
    });
    if (slash >= 0) {
      const wanted = datacenters.find(({ name }) => name === resource.slice(slash + 1));
      return wanted?.to ?? this.#nothing(at, reference, "there is no such datacenter");
    }
    if (isTrue(valueAt(value, "skip_first"))) {
      this.#findings.leftOut(value.at, `${reference}: skip_first`, "the nearest datacenter is never skipped");
    }
    return { kind: "datacenters", datacenters, ...map !== undefined && plugin === "geoip" && { map } };
  }

  /** One entry of a dcmap: addresses, a configuration for another plugin, a reference, or an alias. */
  #datacenter(
    reference: string,
    value: Vscf,
    above: readonly (Vscf | undefined)[],
    depth: number,
  ): Resolution {
    const inherited = (key: string) =>
      [...above, value].map((scope) => wordOf(valueAt(scope, key))).findLast((one) => one);
    const plugin = inherited("plugin") ?? "multifo";
    if (value.kind === "list") return this.#group("multifo", reference, value, above, value.at);
    if (value.kind === "table") return this.#nested(plugin, reference, value, above, depth);
    const { text, at } = value;
    if (parseAddress(text)) {
      return this.#group("multifo", reference, { kind: "list", items: [value], at }, above, at);
    }
    const [, other, resource] = /^(?:%([^!]*))?!(.*)$/.exec(text) ?? [];
    if (resource !== undefined) return this.resolve(`${other || plugin}!${resource}`, at, depth + 1);
    return { kind: "alias", target: text };
  }

  #nested(
    plugin: string,
    reference: string,
    value: Table,
    above: readonly (Vscf | undefined)[],
    depth: number,
  ): Resolution {
    if (["multifo", "simplefo", "weighted"].includes(plugin)) {
      return this.#group(plugin, reference, value, above, value.at);
    }
    if (plugin !== "metafo" && plugin !== "geoip") {
      return this.#nothing(value.at, reference, `there is nothing like plugin ${plugin}`);
    }
    const entries = new Map([["resources", {
      kind: "table" as const,
      entries: new Map([["x", value]]),
      at: value.at,
    }]]);
    const made: Vscf = { kind: "table", entries, at: value.at };
    return this.#datacenters(plugin, reference, "x", made, value.at, depth + 1);
  }
}

function primaryFirst(members: readonly Member[]): Member[] {
  return members.toSorted((a, b) => Number(b.label === "primary") - Number(a.label === "primary"));
}
