/**
 * Zones of geodns as ours: a zone file for what is the same for everybody, pools for what is not.
 *
 * @module
 */

import { formatBlock, formatNodes, idOf, type NodeText, poolLines, type PoolText } from "./emit.ts";
import { type GeoDnsLabel, type GeoDnsZone, readZone, type Weighted } from "./geodns_zone.ts";
import { spotOf, spreadOf } from "./geodns_targets.ts";
import { Findings, type Imported, type ImportedFile, ImportError, type ImportSource } from "./imported.ts";

/** The most addresses that an answer has here. */
const ANSWERS_MAX = 16;

/** Reads a zone's JSON file, or all of a folder. @throws {ImportError} When one cannot be read at all. */
export function importGeoDns(path: string, source: ImportSource): Imported {
  const names = source.list(path)?.filter((name) => name.endsWith(".json"));
  const paths = names ? names.map((name) => `${path.replace(/\/+$/, "")}/${name}`) : [path];
  if (paths.length === 0) {
    throw new ImportError({ file: path, line: 1, column: 1 }, "found no .json file in the folder");
  }
  const findings = new Findings();
  const nodes: NodeText[] = [];
  const zones = paths.map((file) => new ZoneImport(readZone(file, source, findings), nodes, findings).run());
  const from = `geodns' ${path}`;
  return {
    files: [
      { path: "Corefile", text: [`# Made from ${from}.\n`, ...zones.map(({ block }) => block)].join("\n") },
      ...nodes.length > 0 ? [{ path: "nodes.yaml", text: formatNodes(nodes, from) }] : [],
      ...zones.map(({ file }) => file),
    ],
    findings: findings.all,
  };
}

/** A pool that is being put together: other labels may be aliases of its own. */
interface Draft extends PoolText {
  readonly names: string[];
}

class ZoneImport {
  readonly #zone: GeoDnsZone;
  readonly #nodes: NodeText[];
  readonly #findings: Findings;
  readonly #pools = new Map<string, Draft>();
  readonly #records: string[] = [];
  readonly #ttls: number[] = [];
  #health: readonly string[] = [];
  /** Labels whose addresses are checked. */
  readonly #checked = new Set<string>();

  constructor(zone: GeoDnsZone, nodes: NodeText[], findings: Findings) {
    [this.#zone, this.#nodes, this.#findings] = [zone, nodes, findings];
  }

  run(): { block: string; file: ImportedFile } {
    const { name, labels, file } = this.#zone;
    const { plain, targeted } = spreadOf(this.#zone, this.#findings);
    for (const label of plain) {
      if (label.alias === undefined) this.#label(label, targeted.get(label.key) ?? []);
    }
    // A variant can be asked for by its own name too: de.pool.example.
    const variants = [...targeted.values()].flatMap((all) => all.map(({ label }) => label));
    for (const label of variants) {
      if (label.alias === undefined) this.#label(label, targeted.get(label.key) ?? []);
    }
    for (const label of [...plain, ...variants]) if (label.alias !== undefined) this.#alias(label, labels);
    const path = `zones/${idOf(name)}.zone`;
    const pools = [...this.#pools].map(([key, pool]) => this.#withCheck(key, pool));
    const lines = [
      "errors",
      ...pools.length > 0 ? ["geo"] : [],
      ...this.#healthLines(),
      ...pools.flatMap(poolLines),
      ...this.#ttlLine(pools.length),
      `file ${path}`,
    ];
    const text = [`; Made from geodns' ${file}.`, ...this.#head(), ...this.#records, ""].join("\n");
    return { block: formatBlock([`${name}.`], lines), file: { path, text } };
  }

  /** The SOA that geodns makes up. */
  #head(): string[] {
    const { ttl, serial, contact, name, labels } = this.#zone;
    const [server = `ns.${name}.`] =
      labels.get("")?.records.filter(({ type }) => type === "NS").map(({ rdata }) => rdata) ?? [];
    return [
      `$TTL ${ttl}`,
      `@ ${Math.min(3600, ttl * 10) || 600} SOA ${server} ${contact}. ${serial} 5400 5400 1209600 3600`,
    ];
  }

  #label(label: GeoDnsLabel, targeted: readonly { target: string; label: GeoDnsLabel }[]): void {
    const owner = label.key === "" ? "@" : label.key;
    for (const { type, ttl, rdata } of label.records) this.#records.push(`${owner} ${ttl} ${type} ${rdata}`);
    const variants = targeted.filter(({ label }) => label.addresses.length > 0);
    for (const { target, label: { key, records, at, alias } } of targeted) {
      if (alias !== undefined) {
        this.#findings.leftOut(at, `${key}: alias for ${target}`, "only addresses differ by client here");
      }
      if (records.length > 0) {
        const types = [...new Set(records.map(({ type }) => type))].join(", ");
        this.#findings.leftOut(at, `${key}: ${types} for ${target}`, "only addresses differ by client here");
      }
    }
    if (variants.length > 0) return this.#pool(label, variants);
    const most = Math.max(...(["A", "AAAA"] as const).map((type) => ofType(label, type).length));
    if (most > label.maxHosts && !label.closest) return this.#pool(label, []);
    for (const { type, address } of label.addresses) {
      this.#records.push(`${owner} ${label.ttl} ${type} ${address}`);
    }
    if (most > label.maxHosts) this.#nearest(label);
    else this.#note(label);
  }

  /** The addresses that the zone file has, nearest first, as geo data places them. */
  #nearest(label: GeoDnsLabel): void {
    this.#ttls.push(label.ttl);
    this.#pools.set(label.key, {
      names: [this.#absolute(label.key)],
      options: [`answers ${answersOf(label)}`],
    });
    this.#takeHealth(label);
  }

  /** Addresses by weight among those of a place, places by where the client is. */
  #pool(label: GeoDnsLabel, variants: readonly { target: string; label: GeoDnsLabel }[]): void {
    const pool = idOf(this.#zone.name, label.key || "apex");
    const placed = new Set<string>();
    const place = (target: string, addresses: readonly Weighted[]) => {
      const spot = spotOf(target);
      return addresses.filter(({ address }) => !placed.has(address)).map(({ address, weight }, i) => {
        placed.add(address);
        const id = idOf(pool, target, String(placed.size), String(i + 1));
        this.#nodes.push({ id, addresses: [address], ...spot, weight: weight || 1, pool });
        return id;
      });
    };
    for (const { target, label } of variants) place(target, label.addresses);
    const elsewhere = elsewhereThan(variants.map(({ target }) => target));
    const base = place(elsewhere, label.addresses);
    if (variants.length > 0) {
      const where = base.length > 0 ? ` the others were put to '${elsewhere}':` : "";
      this.#findings.differs(
        label.at,
        `${label.key || "@"} by ${variants.map(({ target }) => target).join(", ")}`,
        `each is at a point of its part of the world, and the nearest answers:${where} see nodes.yaml`,
      );
    }
    const countries = variants.some(({ target }) => spotOf(target).country !== undefined);
    this.#ttls.push(label.ttl);
    this.#pools.set(label.key, {
      names: [this.#absolute(label.key)],
      pool,
      options: [
        `answers ${answersOf(label)}`,
        "ring 0% 1km",
        ...countries ? ["bias country 1 max 20000km"] : [],
        ...variants.length > 0 && base.length > 0
          ? [`unknown nodes ${base.join(" ")}`]
          : [`unknown nearest ${Object.values(spotOf(elsewhere)).slice(0, 2).join(" ")}`],
        "all-down fail-open",
      ],
    });
    this.#takeHealth(label);
  }

  /** The same as another label, whatever type is asked for but NS and SOA. */
  #alias(label: GeoDnsLabel, labels: ReadonlyMap<string, GeoDnsLabel>): void {
    let target: GeoDnsLabel | undefined = label;
    for (let steps = 0; target?.alias !== undefined && steps < 16; steps++) target = labels.get(target.alias);
    if (!target || target.alias !== undefined) {
      this.#findings.leftOut(label.at, `alias ${label.key}`, `there is no label '${label.alias}'`);
      return;
    }
    const pool = this.#pools.get(target.key);
    pool?.names.push(this.#absolute(label.key));
    const owner = label.key || "@";
    const others = target.records.filter(({ type }) => type !== "NS" && type !== "SOA");
    for (const { type, ttl, rdata } of others) this.#records.push(`${owner} ${ttl} ${type} ${rdata}`);
    if (pool && pool.pool !== undefined) return;
    for (const { type, address } of target.addresses) {
      this.#records.push(`${owner} ${target.ttl} ${type} ${address}`);
    }
  }

  #note({ key, addresses, at }: GeoDnsLabel): void {
    if (new Set(addresses.map(({ weight }) => weight)).size <= 1) return;
    this.#findings.differs(
      at,
      `weights of ${key || "@"}`,
      "every address is in every answer anyway: rotation is even",
    );
  }

  #takeHealth({ health, key, at }: GeoDnsLabel): void {
    if (!health) return;
    if (health.type !== "tcp" || this.#checked.size > 0) {
      const why = health.type === "tcp"
        ? "the checks of a block are the same for all its pools"
        : `no check is like ${health.type}`;
      this.#findings.leftOut(at, `health of ${key}`, why);
      return;
    }
    const { port, interval, timeout, retries } = health;
    this.#checked.add(key);
    this.#health = [
      `check alive tcp ${port}`,
      "check up exec /bin/true",
      `interval ${interval}s`,
      `timeout ${Math.min(timeout, interval / 2)}s`,
      `fall ${retries + 1}`,
    ];
  }

  /** What a zone file has is checked where health is told to watch it. */
  #healthLines(): string[] {
    if (this.#health.length === 0) return [];
    const watched = [...this.#checked].filter((key) => this.#pools.get(key)?.pool === undefined);
    const options = [...this.#health, ...watched.map((key) => `watch ${this.#absolute(key)}`)];
    return ["health {", ...options.map((option) => `    ${option}`), "}"];
  }

  /** A pool whose label had no health is up whatever the checks of others say. */
  #withCheck(key: string, pool: Draft): Draft {
    if (this.#health.length === 0 || pool.pool === undefined) return pool;
    return { ...pool, options: [`check ${this.#checked.has(key) ? "alive" : "up"}`, ...pool.options] };
  }

  #ttlLine(pools: number): string[] {
    if (pools === 0) return [];
    const ttl = Math.min(...this.#ttls);
    if (this.#ttls.some((other) => other !== ttl)) {
      this.#findings.differs(this.#zone.at, "TTLs of names that are pools now", `they have one: ${ttl}`);
    }
    return [`ttl ${ttl} ${ttl}`];
  }

  #absolute(key: string): string {
    return key === "" ? `${this.#zone.name}.` : `${key}.${this.#zone.name}.`;
  }
}

function ofType({ addresses }: GeoDnsLabel, type: "A" | "AAAA") {
  return addresses.filter((one) => one.type === type);
}

function answersOf({ maxHosts }: GeoDnsLabel): number {
  return Math.max(1, Math.min(maxHosts, ANSWERS_MAX));
}

/** A part of the world that no target speaks of: where addresses for everybody else are put. */
function elsewhereThan(targets: readonly string[]): string {
  const all = ["north-america", "europe", "asia", "south-america", "oceania", "africa", "antarctica"];
  return all.find((continent) => !targets.includes(continent)) ?? "antarctica";
}
