/**
 * Reads `formation [ADDRESS...] { ... }`.
 *
 * @module
 */

import type { Place } from "../../core/fleet/place.ts";
import { LEASE_TERMS } from "../../core/registry/lease.ts";
import { parseHostPort } from "../../core/net/host_port.ts";
import {
  Arguments,
  contains,
  CorefileError,
  type Directive,
  onlyOne,
  type Options,
  parseAddress,
  parsePrefix,
  type ParseScope,
  type Prefix,
  readOptions,
  type Token,
} from "../../core/plugin.ts";
import {
  type ConfigFile,
  type Environment,
  readConfig,
  readEnvironment,
  readRecords,
} from "./config_file.ts";
import { FormationProblem } from "./json.ts";
import { recordName } from "./records.ts";
import type { ReplyStyle } from "./replies.ts";
import type { FormationRecord } from "./shapes.ts";

/** An address to listen on. */
export interface Endpoint {
  readonly hostname: string;
  readonly port: number;
}

/** What is served, whom is looked at, who is inside. Plain data; files are paths. */
export interface FormationConfig {
  readonly endpoints: readonly Endpoint[];
  readonly tls?: { readonly certificate: string; readonly key: string };
  /** Where form-state is. */
  readonly states: readonly string[];
  readonly pollMs: number;
  readonly timeoutMs: number;
  readonly staleMs: number;
  readonly bootstrapName: string;
  readonly overlay: readonly Prefix[];
  readonly regions: Readonly<Record<string, Place>>;
  readonly replies: ReplyStyle;
  /** Whom verifications ask; absent = whom the machine asks. */
  readonly resolver?: { readonly ipAddr: string; readonly port: number };
  /** Managed zones that are made where there are none. */
  readonly zones: readonly { readonly name: string; readonly nameServers: readonly string[] }[];
  /** Records that are put there at the start, where there are none of their names. */
  readonly records: readonly FormationRecord[];
}

const PORT = 3005;

const OVERLAY = ["10.0.0.0/8"].map((text) => parsePrefix(text)!);

export const options = {
  tls: {
    usage: "tls CERTIFICATE KEY",
    read: (args: Arguments) => ({ certificate: args.token("CERTIFICATE"), key: args.token("KEY") }),
  },
  state: {
    usage: "state URL...",
    read: (args: Arguments) => [args.token("URL"), ...args.rest()].map(readUrl),
  },
  poll: {
    usage: "poll DURATION",
    read: (args: Arguments) => args.durationMs("DURATION", { min: 1000, max: 3_600_000 }),
  },
  "heartbeat-timeout": {
    usage: "heartbeat-timeout DURATION",
    read: (args: Arguments) => args.durationMs("DURATION", { min: LEASE_TERMS.leaseMs, max: 86_400_000 }),
  },
  stale: {
    usage: "stale DURATION",
    read: (args: Arguments) => args.durationMs("DURATION", { min: 1000, max: 86_400_000 }),
  },
  bootstrap: { usage: "bootstrap NAME", read: (args: Arguments) => recordName(args.word("NAME")) },
  overlay: {
    usage: "overlay NETWORK...",
    read: (args: Arguments) => {
      const networks = [args.prefix("NETWORK")];
      while (args.more) networks.push(args.prefix("NETWORK"));
      return networks;
    },
  },
  region: {
    usage: "region NAME LATITUDE LONGITUDE [COUNTRY [SUBDIVISION]]",
    repeats: true,
    read: readRegion,
  },
  replies: {
    usage: "replies native|tagged",
    read: (args: Arguments) => args.oneOf("the style", ["native", "tagged"]),
  },
  resolver: {
    usage: "resolver ADDRESS[:PORT]",
    read: (args: Arguments) => readResolver(args.token("ADDRESS")),
  },
  zone: {
    usage: "zone NAME NAMESERVER...",
    repeats: true,
    read: (args: Arguments) => ({
      name: args.word("NAME"),
      nameServers: [args.word("NAMESERVER"), ...args.rest().map(({ text }) => text)],
    }),
  },
  config: { usage: "config FILE", read: (args: Arguments) => args.token("FILE") },
  records: { usage: "records FILE", read: (args: Arguments) => args.token("FILE") },
} satisfies Options;

/** @throws {CorefileError} */
export function parse(
  directives: readonly Directive[],
  scope: ParseScope,
  environment: Environment = readEnvironment((name) => Deno.env.get(name)),
): FormationConfig {
  const { problems, path, dataPath } = scope;
  const directive = onlyOne(directives, problems), tokens = [...directive.args];
  const values = readOptions(directive, options, problems);
  const said = values.config ? dataPath(values.config) : environment.config;
  const file = said === undefined
    ? undefined
    : readFile(values.config ?? directive.name, problems, () => readConfig(said));
  warnOfElsewhere(file, values.config ?? directive.name, problems);
  const recordsFile = values.records ? dataPath(values.records) : file?.recordsFile;
  const resolver = values.resolver ?? resolverOf(file?.resolver);
  const endpoints = tokens.length > 0
    ? tokens.flatMap((token) => problems.attempt(() => readEndpoint(token)) ?? [])
    : [{ hostname: "localhost", port: file?.apiPort ?? PORT }];
  if (!values.tls) {
    for (const [i, { hostname }] of endpoints.entries()) {
      if (isLoopback(hostname)) continue;
      problems.error(
        tokens[i] ?? directive.name,
        `formation: ${hostname} can be reached from other machines: want \`tls CERTIFICATE KEY\`, or an address such as localhost:3005`,
      );
    }
  }
  return {
    endpoints,
    ...values.tls && { tls: { certificate: path(values.tls.certificate), key: path(values.tls.key) } },
    states: values.state ?? (environment.state === undefined ? [] : [environment.state]),
    pollMs: values.poll ?? 10_000,
    timeoutMs: values["heartbeat-timeout"] ?? 60_000,
    staleMs: values.stale ?? 300_000,
    bootstrapName: values.bootstrap ?? "bootstrap.formation.cloud",
    overlay: values.overlay ?? OVERLAY,
    regions: Object.fromEntries(values.region ?? []),
    replies: values.replies ?? "native",
    ...resolver && { resolver },
    zones: values.zone ?? [],
    records: recordsFile === undefined
      ? []
      : readFile(values.records ?? directive.name, problems, () => readRecords(recordsFile)) ?? [],
  };
}

/** What cannot be read is a problem where the file is named. */
function readFile<T>(at: Token, problems: ParseScope["problems"], read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof FormationProblem)) throw error;
    problems.error(at, `formation: ${error.message}`);
    return undefined;
  }
}

function warnOfElsewhere(file: ConfigFile | undefined, at: Token, problems: ParseScope["problems"]): void {
  if (!file) return;
  const lines = [
    ...file.elsewhere,
    ...file.zones.map((zone) => `zones: zone ${zone} ns1.${zone} in this block`),
  ];
  if (lines.length > 0) {
    problems.warn(at, `formation: other directives say what this file does: ${lines.join("; ")}`);
  }
}

function readUrl(token: Token): string {
  const url = URL.parse(token.text);
  if (url && (url.protocol === "http:" || url.protocol === "https:")) return url.href;
  throw new CorefileError(
    token,
    `formation: URL must be such as http://localhost:3004: got '${token.text}'`,
  );
}

function readRegion(args: Arguments): [string, Place] {
  const name = args.word("NAME");
  const latitude = args.number("LATITUDE", { min: -90, max: 90 });
  const longitude = args.number("LONGITUDE", { min: -180, max: 180 });
  const country = args.more ? args.word("COUNTRY").toUpperCase() : "";
  const subdivision = args.more ? args.word("SUBDIVISION") : "";
  return [name, { latitude, longitude, country, subdivision }];
}

function readResolver(token: Token): { ipAddr: string; port: number } {
  const resolver = resolverOf(token.text);
  if (resolver) return resolver;
  throw new CorefileError(
    token,
    `formation: ADDRESS must be such as 192.0.2.53 or [2001:db8::53]:53: got '${token.text}'`,
  );
}

function resolverOf(text: string | undefined): { ipAddr: string; port: number } | undefined {
  if (text === undefined) return undefined;
  if (parseAddress(text)) return { ipAddr: text, port: 53 };
  const socket = parseHostPort(text);
  return socket && parseAddress(socket.host) ? { ipAddr: socket.host, port: socket.port } : undefined;
}

function readEndpoint(token: Token): Endpoint {
  const address = parseHostPort(token.text);
  if (address?.port) return { hostname: address.host || "::", port: address.port };
  throw new CorefileError(
    token,
    `formation: ADDRESS must be [HOST]:PORT such as localhost:3005: got '${token.text}'`,
  );
}

const LOOPBACK = ["127.0.0.0/8", "::1/128"].map((text) => parsePrefix(text)!);

/** Whether only the machine itself can be it. */
export function isLoopback(host: string): boolean {
  if (host === "localhost") return true;
  const address = parseAddress(host);
  return address !== undefined && LOOPBACK.some((prefix) => contains(prefix, address));
}
