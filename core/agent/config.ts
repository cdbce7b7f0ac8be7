/**
 * Reads `agent.yaml`: what a node is, and whom it tells. Its format is in docs/AGENT.md.
 *
 * @module
 */

import { dirname, isAbsolute, join } from "node:path/posix";
import { parse } from "yaml";
import { parseDurationMs } from "../corefile/arguments.ts";
import { Problems } from "../corefile/directive.ts";
import { readNodes } from "../fleet/nodes_file.ts";
import { YamlFile, type YamlValue } from "../fleet/yaml_reader.ts";
import { type HostPort, parseHostPort } from "../net/host_port.ts";
import type { NodeDocument } from "../registry/protocol.ts";

/** A node whose round trips are to be measured. */
export interface Peer {
  readonly node: string;
  /** `HOST:PORT`, where it listens. */
  readonly address: string;
}

/** Where the node says how it is. */
export interface HealthConfig {
  readonly listen: HostPort;
  readonly path: string;
  /** What it answers while it drains: 503, or 200 with the header `Meridian-Draining: true`. */
  readonly draining: "status" | "header";
}

/** What an agent is told. Paths are whole. */
export interface AgentConfig {
  readonly node: NodeDocument;
  /** Origins, `https://fra.example.org:8443`, at least one. */
  readonly servers: readonly string[];
  /** The folder where its key and what it has learnt are kept. */
  readonly state: string;
  readonly joinTokenFile?: string;
  readonly tls: { readonly ca?: string; readonly certificate?: string; readonly key?: string };
  readonly health?: HealthConfig;
  readonly peers: readonly Peer[];
  readonly peerIntervalMs: number;
  /** For how long it waits at most until no answer names it any more. */
  readonly drainMs: number;
}

const KEYS = [
  ...["node", "servers", "state", "join-token", "ca", "certificate", "key"],
  ...["health", "peers", "peer-interval", "drain"],
];

/** Bounds of how often round trips are measured: it is traffic that nobody asked for. */
const PEER_INTERVAL_MS = { least: 10_000, byDefault: 60_000 };

/** The configuration in a file; undefined when something is wrong with it, and `problems` says what. */
export function readAgentConfig(text: string, file: string, problems: Problems): AgentConfig | undefined {
  const entries = new YamlFile(text, file, problems).root.entries(KEYS, ["node", "servers", "state"]);
  const node = entries?.get("node"), servers = entries?.get("servers"), state = entries?.get("state");
  if (!entries || !node || !servers || !state) return undefined;
  const path = (key: string) => {
    const name = entries.get(key)?.text("a file");
    return name === undefined ? undefined : isAbsolute(name) ? name : join(dirname(file), name);
  };
  const joinTokenFile = path("join-token"), health = entries.get("health");
  const tls = Object.fromEntries(
    ["ca", "certificate", "key"].flatMap((key) => {
      const file = path(key);
      return file === undefined ? [] : [[key, file]];
    }),
  );
  if ((tls.certificate === undefined) !== (tls.key === undefined)) {
    node.problem("certificate and key go together: one of them is missing");
  }
  const config = {
    node: readNode(node, text, problems),
    servers: readServers(servers),
    state: path("state") ?? "",
    ...joinTokenFile !== undefined && { joinTokenFile },
    tls,
    ...health && { health: readHealth(health) },
    peers: entries.get("peers")?.items("a peer")?.flatMap((item) => readPeer(item) ?? []) ?? [],
    peerIntervalMs: duration(entries.get("peer-interval"), PEER_INTERVAL_MS.least) ??
      PEER_INTERVAL_MS.byDefault,
    drainMs: duration(entries.get("drain"), 0) ?? 60_000,
  };
  return problems.errors.length > 0 ? undefined : config as AgentConfig;
}

/** A node as in nodes.yaml, which its servers read in the same way. */
function readNode(value: YamlValue, text: string, problems: Problems): NodeDocument | undefined {
  if (problems.errors.length > 0) return undefined;
  const node = (parse(text) as { node: NodeDocument }).node;
  const found = new Problems();
  readNodes(JSON.stringify({ nodes: [node] }), "", found);
  for (const { message } of found.errors) value.problem(message);
  for (const key of ["state", "maintenance"]) {
    if (node !== null && Object.hasOwn(node ?? {}, key)) value.problem(`${key} is for the operator to say`);
  }
  return node;
}

function readServers(list: YamlValue): string[] {
  const items = list.items("a server") ?? [];
  if (items.length === 0) list.problem("servers must have the URL of a server at least");
  return items.flatMap((item) => {
    const text = item.text(
      "a URL such as https://fra.example.org:8443",
      (text) => originOf(text) !== undefined,
    );
    return text === undefined ? [] : [originOf(text)!];
  });
}

/** The origin of a server's URL: `https:`, or on the same machine `http:`; undefined when it is none. */
export function originOf(text: string): string | undefined {
  if (!URL.canParse(text)) return undefined;
  const { protocol, hostname, origin, pathname, search, hash, username } = new URL(text);
  if (pathname !== "/" || search !== "" || hash !== "" || username !== "") return undefined;
  const isHere = /^(localhost|127\.\d+\.\d+\.\d+|\[::1\])$/.test(hostname);
  return protocol === "https:" || protocol === "http:" && isHere ? origin : undefined;
}

function readHealth(value: YamlValue): HealthConfig | undefined {
  const entries = value.entries(["listen", "path", "draining"], ["listen"]);
  const listen = entries?.get("listen")?.text(
    "an address and a port such as 192.0.2.1:8080",
    (text) => parseHostPort(text) !== undefined,
  );
  return entries && listen !== undefined
    ? {
      listen: parseHostPort(listen)!,
      path: entries.get("path")?.text("a path such as /health", (path) => /^\/[!-~]*$/.test(path)) ??
        "/health",
      draining: entries.get("draining")?.oneOf(["status", "header"]) ?? "status",
    }
    : undefined;
}

function readPeer(item: YamlValue): Peer | undefined {
  const entries = item.entries(["node", "address"], ["node", "address"]);
  const node = entries?.get("node")?.text();
  const address = entries?.get("address")?.text(
    "an address and a port such as 192.0.2.1:8080",
    (text) => (parseHostPort(text)?.host ?? "") !== "",
  );
  return node !== undefined && address !== undefined ? { node, address } : undefined;
}

function duration(value: YamlValue | undefined, leastMs: number): number | undefined {
  const isRight = (text: string) => (parseDurationMs(text) ?? -1) >= leastMs;
  const text = value?.text(`a duration of ${leastMs / 1000}s or more, such as 60s`, isRight);
  return text === undefined ? undefined : parseDurationMs(text);
}
