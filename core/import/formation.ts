/**
 * form-dns's configuration as ours: `config.json` and `default.conf`, which its documents have. It read neither; what people
 * wrote into them is what they wanted.
 *
 * @module
 */

import type { Position } from "../corefile/directive.ts";
import { formatBlock } from "./emit.ts";
import { Findings, type Imported, ImportError, type ImportSource } from "./imported.ts";

/** What the two files say, by the words of the first. */
interface Settings {
  readonly address?: string | undefined;
  readonly port?: number | undefined;
  readonly apiPort?: number | undefined;
  readonly recordsFile?: string | undefined;
  readonly geoDatabase?: string | undefined;
  readonly upstreams: readonly string[];
  readonly zones: readonly string[];
  readonly zonesPath?: string | undefined;
  readonly health?: Readonly<Record<string, unknown>> | undefined;
  readonly cache?:
    | { readonly size?: number | undefined; readonly ttl?: number; readonly denialTtl?: number }
    | undefined;
  readonly rate?: number | undefined;
  readonly recursion: readonly string[];
  readonly forwards: boolean;
}

/** What is listened on where nothing is said, and who may be resolved for. */
const PORT = 5453, RECURSION = ["127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"];

/** The zone that is there in any case. */
const BOOTSTRAP = "bootstrap.formation.cloud";

/** Reads either. @throws {ImportError} When it is neither, or is not there. */
export function importFormation(path: string, source: ImportSource): Imported {
  const text = source.read(path);
  if (text === undefined) throw new ImportError({ file: path, line: 1, column: 1 }, "there is no such file");
  const findings = new Findings(), at = placesIn(path, text);
  const values = text.trimStart().startsWith("{") ? readJson(path, text) : readConf(path, text);
  const settings = settingsOf(values, findings, at);
  return { files: [{ path: "Corefile", text: corefileOf(settings, path) }], findings: findings.all };
}

type Values = ReadonlyMap<string, unknown>;

function readJson(path: string, text: string): Values {
  try {
    return new Map(Object.entries(JSON.parse(text)));
  } catch (error) {
    throw new ImportError({ file: path, line: 1, column: 1 }, `wanted JSON: ${(error as Error).message}`);
  }
}

/** `name = value` a line; values as JSON has them. Sections and comments are let be. */
function readConf(path: string, text: string): Values {
  const values = new Map<string, unknown>();
  text.split("\n").forEach((line, i) => {
    const found = /^\s*([A-Za-z_]+)\s*=\s*(.*?)\s*(?:#.*)?$/.exec(line);
    if (!found) {
      if (/^\s*(#.*|\[.*\])?\s*$/.test(line)) return;
      throw new ImportError(
        { file: path, line: i + 1, column: 1 },
        `wanted NAME = VALUE: got '${line.trim()}'`,
      );
    }
    values.set(found[1]!, valueOf(found[2]!));
  });
  return values;
}

function valueOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/** Where a name stands first. */
function placesIn(path: string, text: string): (name: string) => Position {
  const lines = text.split("\n");
  return (name) => {
    const line = lines.findIndex((line) => new RegExp(`(^|[\\s"])${name}\\b`).test(line));
    return { file: path, line: line + 1, column: (lines[line] ?? "").search(new RegExp(`"?${name}`)) + 1 };
  };
}

/** What has no counterpart, and why. */
const LEFT_OUT: Readonly<Record<string, string>> = {
  log_level: "a Corefile says what is logged: log, errors, debug",
  log_format: "log takes a format of its own: log . json",
  zone_refresh_interval: "auto looks at its folder every minute, or as its reload option says",
  formation_domain: "zones are named one by one: zone NAME NAMESERVER",
  service_discovery_enabled: "nodes register themselves, in whatever zone",
  service_discovery_zones: "nodes register themselves, in whatever zone",
  enable_dnssec: "form-dns signed nothing, and nothing is signed here",
  dnssec_validation: "answers of upstreams are passed on with what they say of themselves",
};

function settingsOf(values: Values, findings: Findings, at: (name: string) => Position): Settings {
  const taken = new Set<string>();
  const get = <T>(kind: "string" | "number" | "object" | "boolean", ...names: string[]): T | undefined => {
    for (const name of names) {
      const value = values.get(name);
      if (value === undefined) continue;
      taken.add(name);
      if (typeof value === kind && value !== null) return value as T;
      findings.leftOut(at(name), name, `wanted ${kind === "object" ? "a list or an object" : `a ${kind}`}`);
    }
    return undefined;
  };
  const texts = (...names: string[]) =>
    (get<unknown[]>("object", ...names) ?? []).filter((one) => typeof one === "string");
  const zones = (get<unknown[]>("object", "zones") ?? []).flatMap((zone) => zoneOf(zone, findings, at));
  const cache = {
    size: get<number>("number", "cache_size"),
    ttl: get<number>("number", "cache_ttl") ?? 3600,
    denialTtl: get<number>("number", "negative_cache_ttl") ?? 1800,
  };
  const forwards = [
    get<boolean>("boolean", "enable_forwarding") ?? true,
    get<boolean>("boolean", "forward_unmatched") ?? true,
  ];
  const settings: Settings = {
    address: get("string", "listen_addr", "listen_address"),
    port: get("number", "port", "listen_port"),
    apiPort: get("number", "api_port"),
    recordsFile: get("string", "records_file"),
    geoDatabase: get("string", "geo_database"),
    upstreams: texts("upstream_dns", "upstream_servers"),
    zones: [...new Set([...zones, BOOTSTRAP])],
    zonesPath: get("string", "zones_path"),
    health: get("object", "health_check"),
    cache,
    rate: get("number", "rate_limit"),
    recursion: texts("allow_recursion"),
    forwards: forwards.every(Boolean),
  };
  for (const name of values.keys()) {
    if (!taken.has(name)) findings.leftOut(at(name), name, LEFT_OUT[name] ?? "it is not known here");
  }
  return settings;
}

function zoneOf(zone: unknown, findings: Findings, at: (name: string) => Position): string[] {
  const { name, type = "primary", ttl } = (zone ?? {}) as Record<string, unknown>;
  if (typeof name !== "string") return [];
  if (type !== "primary") {
    findings.leftOut(at(name), `zone ${name}`, `only primary zones are served: it is ${type}`);
  }
  if (type !== "primary") return [];
  if (ttl !== undefined) {
    findings.differs(
      at(name),
      `ttl ${ttl} of ${name}`,
      "records have TTLs of their own, pools those of `ttl`",
    );
  }
  return [name];
}

function corefileOf(settings: Settings, path: string): string {
  const { port = PORT, address, upstreams, forwards } = settings;
  const bind = address === undefined || address === "0.0.0.0" ? [] : [`bind ${address}`];
  const keys = [...settings.zones, "fog"].map((zone) => `${zone}:${port}`);
  return [
    `# Made from form-dns's ${path}.\n`,
    formatBlock([], ["state sqlite fleet.db"]).trimStart(),
    formatBlock(keys, [...bind, ...ownLines(settings)]),
    ...forwards && upstreams.length > 0
      ? [formatBlock([`.:${port}`], [...bind, ...otherLines(settings)])]
      : [],
  ].join("\n");
}

/** Formation's own names. */
function ownLines(
  { apiPort = 3005, recordsFile, geoDatabase, zones, zonesPath, health, rate }: Settings,
): string[] {
  return [
    "errors",
    "prometheus localhost:9153",
    "api localhost:18443",
    `formation localhost:${apiPort} {`,
    "    state http://localhost:3004",
    ...[...zones, "fog"].map((zone) => `    zone ${zone} ns1.${zone}`),
    ...recordsFile === undefined ? [] : [`    records ${recordsFile}`],
    "}",
    geoDatabase === undefined ? "geo" : `geo ${geoDatabase}`,
    ...rate === undefined ? [] : ["rrl {", `    responses-per-second ${rate}`, "}"],
    ...healthLines(health),
    "managed",
    ...zonesPath === undefined ? [] : ["auto {", `    directory ${zonesPath} (.*)\\.zone {1}`, "}"],
    `anycast ${BOOTSTRAP} {`,
    "    nodes registry",
    "    select bootstrap=yes",
    "    strategy linear compat",
    "    all-down fail-open",
    "}",
    "ttl 5 60",
  ];
}

function healthLines(health: Settings["health"]): string[] {
  if (!health || health.enabled === false) return [];
  const { interval = 30, timeout = 5, unhealthy_threshold: fall = 3 } = health;
  return [
    "health {",
    "    check tcp 51820",
    ...[`    interval ${interval}s`, `    timeout ${timeout}s`, `    fall ${fall}`],
    "}",
  ];
}

/** All other names, for those who may have them resolved. */
function otherLines({ upstreams, cache, recursion, rate }: Settings): string[] {
  const networks = recursion.length > 0 ? recursion : RECURSION;
  return [
    "errors",
    ...["acl {", `    allow net ${networks.join(" ")} ::1/128`, "    block", "}"],
    ...rate === undefined ? [] : ["rrl {", `    responses-per-second ${rate}`, "}"],
    ...cacheLines(cache),
    `forward . ${upstreams.join(" ")}`,
  ];
}

function cacheLines(cache: Settings["cache"]): string[] {
  if (!cache?.size) return ["cache"];
  const { size, ttl, denialTtl } = cache;
  return ["cache {", `    success ${size} ${ttl}`, `    denial ${size} ${denialTtl}`, "}"];
}
