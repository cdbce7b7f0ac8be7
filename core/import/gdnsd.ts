/**
 * gdnsd's configuration as ours: a server block for each zone, its dynamic names as pools of one node list.
 *
 * @module
 */

import { fold, formatName, type Name, parseName } from "../dns/name.ts";
import { parseAddress } from "../net/address.ts";
import { formatBlock, formatNodes, idOf, poolLines, quoted } from "./emit.ts";
import { healthLines } from "./gdnsd_checks.ts";
import { networksOf, type PlacedNetwork, placesOf, type Spot } from "./gdnsd_map.ts";
import { type Nodes, ZonePools } from "./gdnsd_pools.ts";
import { Resources } from "./gdnsd_resources.ts";
import { convertZone, type DynamicRecord } from "./gdnsd_zone.ts";
import { Findings, folderOf, type Imported, type ImportedFile, type ImportSource } from "./imported.ts";
import { at, entriesOf, isTrue, itemsOf, numberOf, readVscf, type Vscf, wordOf } from "./vscf.ts";

/** Options that say how gdnsd runs, not what it answers; nothing is lost without them. */
const OWN_AFFAIRS =
  /^(tcp_|udp_|lock_mem|run_dir|state_dir|zones_strict_data|disable_tcp_dso|disable_cookies|max_nocookie|cookie_key|acme_|experimental_|max_ttl|min_ttl|max_ncache_ttl|disable_text_autosplit|chaos_response$|nsid$|nsid_ascii$|max_edns_response$|listen$|dns_port$|zones_default_ttl$|edns_client_subnet$)/;

/** Reads `config` and the folder `zones` beside it. @throws {ImportError} When the file cannot be read at all. */
export function importGdnsd(path: string, source: ImportSource): Imported {
  return new GdnsdImport(path, source).run();
}

class GdnsdImport {
  readonly #path: string;
  readonly #source: ImportSource;
  readonly #findings = new Findings();
  readonly #config: Vscf;
  readonly #resources: Resources;
  readonly #nodes: Nodes = new Map();
  readonly #networks = new Map<string, PlacedNetwork>();
  readonly #places = new Map<string, ReadonlyMap<string, Spot>>();

  constructor(path: string, source: ImportSource) {
    [this.#path, this.#source] = [path, source];
    this.#config = readVscf(path, source);
    this.#resources = new Resources(at(this.#config, "plugins"), this.#findings);
  }

  run(): Imported {
    for (const [key, value] of entriesOf(this.#option())) {
      if (!OWN_AFFAIRS.test(key)) {
        this.#findings.leftOut(value.at, `option ${key}`, "there is nothing like it here");
      }
    }
    const folder = `${folderOf(this.#path)}/zones`;
    const names = this.#source.list(folder) ?? [];
    if (names.length === 0) {
      this.#findings.leftOut({ file: this.#path, line: 1, column: 1 }, folder, "there is no zone file in it");
    }
    const zones = names.map((name) => this.#zone(`${folder}/${name}`, name));
    const networks = [...this.#networks.values()].map((network) => `  - ${JSON.stringify(network)}`);
    const from = `gdnsd's ${this.#path}`;
    return {
      files: [
        { path: "Corefile", text: [`# Made from ${from}.\n`, ...zones.map(({ block }) => block)].join("\n") },
        ...this.#nodes.size > 0
          ? [{ path: "nodes.yaml", text: formatNodes([...this.#nodes.values()], from) }]
          : [],
        ...networks.length > 0
          ? [{
            path: "networks.yaml",
            text: [`# Made from ${from}.`, "networks:", ...networks, ""].join("\n"),
          }]
          : [],
        ...zones.flatMap(({ files }) => files),
      ],
      findings: this.#findings.all,
    };
  }

  #option(key?: string): Vscf | undefined {
    const options = at(this.#config, "options");
    return key === undefined ? options : at(options, key);
  }

  #zone(path: string, fileName: string): { block: string; files: readonly ImportedFile[] } {
    const origin = zoneNameOf(fileName);
    const pools = new ZonePools(this.#nodes, (map) => this.#placesOf(map), this.#findings);
    const ttls: DynamicRecord[] = [];
    const outPath = `zones/${idOf(fileName)}.zone`;
    const files = convertZone(path, outPath, {
      origin,
      defaultTtl: numberOf(this.#option("zones_default_ttl")) ?? 86_400,
      source: this.#source,
      findings: this.#findings,
      dynamic: (record) => {
        const resolution = this.#resources.resolve(record.reference, record.at);
        if (resolution.kind === "group" || resolution.kind === "datacenters") ttls.push(record);
        return pools.add(record, resolution);
      },
    });
    for (const map of pools.maps) this.#addNetworks(map);
    const lines = [
      ...this.#common(),
      ...pools.needsGeo ? this.#geoLines(pools) : [],
      ...healthLines([...pools.checks], at(this.#config, "service_types"), this.#findings),
      ...pools.pools.flatMap((pool) => poolLines(withoutIdleCheck(pool, pools.checks))),
      ...this.#ttlLines(ttls),
      `file ${quoted(outPath)}`,
    ];
    return { block: formatBlock(this.#keys(origin), lines), files };
  }

  /** Everything that options say of every zone. */
  #common(): string[] {
    const nsid = wordOf(this.#option("nsid_ascii")) ?? wordOf(this.#option("nsid"));
    const size = numberOf(this.#option("max_edns_response"));
    const hosts = [...new Set(this.#listen().flatMap(({ host }) => host))];
    return [
      ...hosts.length > 0 ? [`bind ${hosts.join(" ")}`] : [],
      "errors",
      ...nsid ? [`nsid ${quoted(nsid)}`] : [],
      ...size !== undefined ? [`bufsize ${Math.min(Math.max(size, 512), 4096)}`] : [],
    ];
  }

  #keys(origin: Name): string[] {
    const port = numberOf(this.#option("dns_port")) ?? 53;
    const ports = new Set(this.#listen().map(({ port: own }) => own ?? port));
    return [...ports.size > 0 ? ports : [port]].map((port) => `${formatName(origin)}:${port}`);
  }

  /** The addresses of `listen`; none for `any`. */
  #listen(): { host: string[]; port: number | undefined }[] {
    const listen = this.#option("listen");
    const words = listen?.kind === "table"
      ? entriesOf(listen).map(([key]) => key)
      : itemsOf(listen).flatMap((item) => wordOf(item) ?? []);
    return words.filter((word) => word !== "any").flatMap((word) => {
      const [, bracketed, bare, port] = /^(?:\[([^\]]+)\]|([\d.]+))(?::(\d+))?$/.exec(word) ?? [];
      const host = bracketed ?? bare ?? word;
      if (!parseAddress(host)) {
        this.#findings.leftOut(listen!.at, `listen ${word}`, "it is no address");
        return [];
      }
      const isAny = host === "0.0.0.0" || host === "::";
      return [{ host: isAny ? [] : [host], port: port === undefined ? undefined : Number(port) }];
    });
  }

  #geoLines({ maps }: ZonePools): string[] {
    const configured = [...maps].map((map) => at(this.#resources.maps, map));
    const databases = configured.flatMap((map) => wordOf(at(map, "geoip2_db")) ?? []);
    const paths = [...new Set(databases)].map((path) =>
      path.startsWith("/") ? path : `${folderOf(this.#path)}/geoip/${path}`
    );
    const there = paths.filter((path) => this.#source.read(path) !== undefined);
    for (const map of configured) {
      const database = at(map, "geoip2_db");
      if (database && there.length === 0) {
        this.#findings.differs(
          database.at,
          `geoip2_db ${wordOf(database)}`,
          "the file is not there: taking the embedded database of countries",
        );
      }
      const ignores = at(map, "ignore_ecs");
      if (ignores && isTrue(ignores)) {
        this.#findings.differs(
          ignores.at,
          "ignore_ecs",
          "it is for all the pools of a zone here: see `ecs` of geo",
        );
      }
    }
    const off = wordOf(this.#option("edns_client_subnet")) === "false" ||
      configured.some((map) => isTrue(at(map, "ignore_ecs")));
    const options = [...this.#networks.size > 0 ? ["networks networks.yaml"] : [], ...off ? ["ecs off"] : []];
    const head = ["geo", ...there.map(quoted)].join(" ");
    return options.length > 0 ? [`${head} {`, ...options.map((option) => `    ${option}`), "}"] : [head];
  }

  #placesOf(map: string): ReadonlyMap<string, Spot> {
    let places = this.#places.get(map);
    if (!places) this.#places.set(map, places = placesOf(map, at(this.#resources.maps, map), this.#findings));
    return places;
  }

  #addNetworks(map: string): void {
    const value = at(this.#resources.maps, map);
    for (const network of networksOf(map, value, this.#placesOf(map), this.#source, this.#findings)) {
      const before = this.#networks.get(network.prefix);
      const isSame = before?.latitude === network.latitude && before?.longitude === network.longitude;
      if (before && !isSame) {
        this.#findings.leftOut(
          value!.at,
          `map ${map}: ${network.prefix}`,
          "another map has the network elsewhere",
        );
      } else this.#networks.set(network.prefix, network);
    }
  }

  /** One `ttl` for all the pools of a zone: the lowest there is. */
  #ttlLines(records: readonly DynamicRecord[]): string[] {
    if (records.length === 0) return [];
    const max = Math.min(...records.map(({ ttl }) => ttl.max));
    const min = Math.min(...records.map(({ ttl }) => ttl.min), max);
    for (const { at, name, ttl } of records) {
      if (ttl.max === max && ttl.min === min) continue;
      const why = `the pools of a zone have one: at most ${max}, at least ${min}`;
      this.#findings.differs(at, `TTL ${ttl.max}/${ttl.min} of ${formatName(name)}`, why);
    }
    return [`ttl ${min} ${max}`];
  }
}

/** Without a single check in the block there is nothing that a pool could name. */
function withoutIdleCheck<P extends { readonly options: readonly string[] }>(
  pool: P,
  checks: ReadonlySet<string>,
): P {
  if ([...checks].some((name) => name !== "up")) return pool;
  return { ...pool, options: pool.options.filter((option) => !option.startsWith("check ")) };
}

/** The zone that a file of that name holds (gdnsd(8)). */
function zoneNameOf(fileName: string): Name {
  return fileName === "ROOT_ZONE" ? parseName(".") : fold(parseName(fileName.replaceAll("@", "/")));
}
