/**
 * What a `forward` directive says.
 *
 * @module
 */

import { readNames } from "../../core/dns/corefile_names.ts";
import { RCODE } from "../../core/dns/types.ts";
import { atMost, readRegularTextFile } from "../../core/files.ts";
import {
  Arguments,
  CorefileError,
  type Directive,
  type Name,
  nearest,
  type Options,
  type OptionValues,
  parseName,
  type ParseScope,
  readOptions,
  ROOT,
  type Token,
} from "../../core/plugin.ts";
import type { DohMethod } from "./doh.ts";
import { POLICIES, type Policy } from "./policy.ts";
import type { KeepOptions } from "./stream_pool.ts";
import { readTls, type TlsFiles, tlsFilesOf } from "./tls.ts";
import { readUpstreams, type Upstream, type WrittenUpstream } from "./upstream.ts";

/** One `forward`. Plain data. */
export interface ForwardRule {
  /** Names at or below these are forwarded, folded. */
  readonly from: readonly Name[];
  /** Less the names at or below these, folded. */
  readonly except: readonly Name[];
  readonly upstreams: readonly Upstream[];
  readonly policy: Policy;
  /** What plain upstreams are asked over; `client`: as the client asked. */
  readonly transport: "client" | "tcp" | "udp";
  /** Failures in a row that mean down; 0 = never down. */
  readonly maxFails: number;
  readonly healthCheck: HealthCheck;
  /** Whether a query fails at once when every upstream is down; otherwise one is asked all the same. */
  readonly failFast: boolean;
  /** RCODEs for which the next upstream is asked. */
  readonly failover: readonly number[];
  /** RCODEs for which the next rule that covers the name is asked. */
  readonly next: readonly number[];
  /** Whether the same goes for a good answer without the records asked for. */
  readonly nextOnNodata: boolean;
  /** How long to wait for one upstream. */
  readonly readTimeoutMs: number;
  /** How many exchanges one query may cost. */
  readonly attemptsMax: number;
  /** How many queries may wait at a time. */
  readonly concurrentMax: number;
  /** Whether upstreams are told the client's network, where the client itself tells it. */
  readonly passesSubnet: boolean;
  /** How connections are kept. */
  readonly keep: KeepOptions;
  readonly tls: TlsFiles;
  readonly dohMethod: DohMethod;
  /** The address of ours to send from, canonical text. */
  readonly sourceAddress?: string;
}

/** One `forward` as written: some upstreams may have names that are yet to be resolved. Plain data. */
export interface WrittenRule extends Omit<ForwardRule, "upstreams"> {
  readonly upstreams: readonly WrittenUpstream[];
  /** 0 = twice as many as there will be upstreams. */
  readonly attemptsMax: number;
  /** Whom to ask for those names; none = the system. */
  readonly resolvers: readonly Upstream[];
}

/** How an upstream that failed is probed: `NAME NS`, every `intervalMs`. */
export interface HealthCheck {
  readonly intervalMs: number;
  readonly name: Name;
  readonly recursionDesired: boolean;
}

/** The most upstreams that a rule may have, as CoreDNS has it. */
export const UPSTREAMS_MAX = 15;
const CONCURRENT_MAX = 1000;
const READ_TIMEOUT_MS = 2000;
const HEALTH_CHECK: HealthCheck = { intervalMs: 500, name: ROOT, recursionDesired: true };
const IDLE_MS = 10_000;
/** What `max_connect_attempts 0` comes to: a closed port fails so fast that a loop without end would do nothing else. */
const ATTEMPTS_MAX = 100;
/** The most octets of a file of upstreams. */
const FILE_OCTETS_MAX = 1 << 20;

/** The options of the block. */
export const options = {
  except: {
    usage: "except NAMES...",
    repeats: true,
    read: (args: Arguments) => [args.token("NAMES"), ...args.rest()],
  },
  force_tcp: { usage: "force_tcp", read: () => true },
  prefer_udp: { usage: "prefer_udp", read: () => true },
  policy: {
    usage: "policy random|round_robin|sequential",
    read: (args: Arguments) => args.oneOf("policy", POLICIES),
  },
  max_fails: {
    usage: "max_fails COUNT",
    read: (args: Arguments) => args.whole("COUNT", { min: 0, max: 1e6 }),
  },
  health_check: { usage: "health_check DURATION [no_rec] [domain FQDN]", read: readHealthCheck },
  failfast_all_unhealthy_upstreams: { usage: "failfast_all_unhealthy_upstreams", read: () => true },
  failover: { usage: "failover RCODES...", repeats: true, read: readBadRcodes },
  next: { usage: "next RCODES...", repeats: true, read: readRcodes },
  next_on_nodata: { usage: "next_on_nodata", read: () => true },
  read_timeout: {
    usage: "read_timeout DURATION",
    read: (args: Arguments) => args.durationMs("DURATION", { min: 10, max: 60_000 }),
  },
  max_connect_attempts: {
    usage: "max_connect_attempts COUNT",
    read: (args: Arguments) => args.whole("COUNT", { min: 0, max: 1000 }) || ATTEMPTS_MAX,
  },
  max_concurrent: {
    usage: "max_concurrent COUNT",
    read: (args: Arguments) => args.whole("COUNT", { min: 1, max: 1e6 }),
  },
  expire: {
    usage: "expire DURATION",
    read: (args: Arguments) => args.durationMs("DURATION", { min: 0, max: 3_600_000 }),
  },
  max_age: {
    usage: "max_age DURATION",
    read: (args: Arguments) => ({ at: args.peek(), ms: args.durationMs("DURATION", { min: 0 }) }),
  },
  max_idle_conns: {
    usage: "max_idle_conns COUNT",
    read: (args: Arguments) => args.whole("COUNT", { min: 0, max: 1e6 }),
  },
  tls: { usage: "tls [CERT KEY] [CA]", read: readTls },
  tls_servername: { usage: "tls_servername NAME", read: (args: Arguments) => args.token("NAME") },
  doh_method: {
    usage: "doh_method GET|POST",
    read: (args: Arguments) => args.oneOf("method", ["GET", "POST"]),
  },
  source_address: {
    usage: "source_address IP",
    read: (args: Arguments) => ({ at: args.peek()!, address: args.address("IP") }),
  },
  resolver: { usage: "resolver IP[:PORT]...", repeats: true, read: readResolvers },
  ecs: {
    usage: "ecs pass|strip",
    read: (args: Arguments) => args.oneOf("ecs", ["pass", "strip"]),
  },
} satisfies Options;

/** Reads one `forward`. @throws {CorefileError} At the wrong word. */
export function parseRule(directive: Directive, scope: ParseScope): WrittenRule {
  const args = new Arguments(directive);
  const from = readNames(args.token("FROM"), scope.problems);
  const to = [args.token("TO"), ...args.rest()];
  const read = readOptions(directive, options, scope.problems);
  const upstreams = withServerName(readAll(to, scope), read.tls_servername, scope);
  checkAges(read, scope);
  return {
    from,
    except: (read.except ?? []).flat().flatMap((token) =>
      scope.problems.attempt(() => readNames(token, scope.problems)) ?? []
    ),
    upstreams,
    resolvers: (read.resolver ?? []).flat(),
    policy: read.policy ?? "random",
    transport: read.force_tcp ? "tcp" : read.prefer_udp ? "udp" : "client",
    maxFails: read.max_fails ?? 2,
    healthCheck: read.health_check ?? HEALTH_CHECK,
    failFast: read.failfast_all_unhealthy_upstreams ?? false,
    failover: (read.failover ?? []).flat(),
    next: (read.next ?? []).flat(),
    nextOnNodata: read.next_on_nodata ?? false,
    readTimeoutMs: read.read_timeout ?? READ_TIMEOUT_MS,
    attemptsMax: read.max_connect_attempts ?? 0,
    concurrentMax: read.max_concurrent ?? CONCURRENT_MAX,
    passesSubnet: read.ecs === "pass",
    keep: {
      idleMs: read.expire ?? IDLE_MS,
      ageMaxMs: read.max_age?.ms ?? 0,
      idleMax: read.max_idle_conns ?? 0,
    },
    tls: scope.problems.attempt(() => tlsFilesOf(read.tls ?? [], (token) => scope.dataPath(token))) ?? {},
    dohMethod: read.doh_method ?? "POST",
    ...sourceOf(read, upstreams, scope),
  };
}

function readAll(tokens: readonly Token[], { problems, dataPath }: ParseScope): WrittenUpstream[] {
  const readFile = (token: Token) => {
    try {
      return readRegularTextFile(dataPath(token), atMost(FILE_OCTETS_MAX));
    } catch {
      // Then it is no file: what it is instead, or that it is nothing, is found by its shape.
      return undefined;
    }
  };
  const upstreams = tokens.flatMap((token) =>
    (problems.attempt(() => readUpstreams(token, readFile)) ?? []).map((upstream) => ({ token, upstream }))
  );
  const tooMany = upstreams[UPSTREAMS_MAX];
  if (tooMany) {
    problems.error(tooMany.token, `forward: at most ${UPSTREAMS_MAX} upstreams, this is one more`);
  }
  return upstreams.map(({ upstream }) => upstream);
}

/** Puts the name of `tls_servername` wherever none is written. */
function withServerName(
  upstreams: readonly WrittenUpstream[],
  token: Token | undefined,
  { problems }: ParseScope,
): WrittenUpstream[] {
  if (!token) return [...upstreams];
  if (upstreams.some((upstream) => "address" in upstream && upstream.serverName !== undefined)) {
    problems.error(
      token,
      "tls_servername: an upstream has a server name of its own behind %: want one or the other",
    );
  }
  if (upstreams.every(({ protocol }) => protocol === "dns")) {
    problems.warn(token, "tls_servername: has no effect: no upstream is tls:// or https://");
  }
  return upstreams.map((upstream) =>
    upstream.protocol === "dns" ? upstream : { ...upstream, serverName: token.text }
  );
}

function checkAges(
  { max_age, expire = IDLE_MS }: OptionValues<typeof options>,
  { problems }: ParseScope,
): void {
  if (max_age && max_age.ms > 0 && max_age.ms < expire) {
    problems.error(
      max_age.at!,
      `max_age: DURATION must be at least that of expire, ${expire / 1000}s: got '${max_age.at!.text}'`,
    );
  }
}

function sourceOf(
  { source_address: source }: OptionValues<typeof options>,
  upstreams: readonly WrittenUpstream[],
  { problems }: ParseScope,
): { sourceAddress?: string } {
  if (!source) return {};
  const { at, address } = source;
  const isOther = (upstream: WrittenUpstream) =>
    "address" in upstream && upstream.address.family !== address.family;
  if (upstreams.some(isOther)) {
    problems.error(at, `source_address: IP must be of the family of every upstream: got '${at.text}'`);
  }
  return { sourceAddress: at.text };
}

function readHealthCheck(args: Arguments): HealthCheck {
  let check: HealthCheck = { ...HEALTH_CHECK, intervalMs: args.durationMs("DURATION", { min: 10 }) };
  while (args.more) {
    if (args.oneOf("option", ["no_rec", "domain"]) === "no_rec") {
      check = { ...check, recursionDesired: false };
    } else check = { ...check, name: readFqdn(args.token("FQDN")) };
  }
  return check;
}

/** RCODEs by name. NOERROR is refused: a good answer is no reason to ask on. */
function readBadRcodes(args: Arguments): number[] {
  return rcodesOf(args, Object.keys(RCODE).filter((rcode) => rcode !== "NOERROR"), ", not NOERROR");
}

function readRcodes(args: Arguments): number[] {
  return rcodesOf(args, Object.keys(RCODE), "");
}

function rcodesOf(args: Arguments, known: readonly string[], hint: string): number[] {
  return [args.token("RCODES"), ...args.rest()].map((token) => {
    const word = token.text.toUpperCase();
    if (known.includes(word)) return RCODE[word as keyof typeof RCODE];
    const guess = nearest(word, known);
    throw new CorefileError(
      token,
      `${args.directive.name.text}: RCODE must be one such as SERVFAIL${hint}: got '${token.text}'` +
        (guess ? `; did you mean '${guess}'?` : ""),
    );
  });
}

function readResolvers(args: Arguments): Upstream[] {
  return [args.token("IP"), ...args.rest()].map((token) => {
    const [upstream] = readUpstreams(token, () => undefined);
    if (upstream && "address" in upstream && upstream.protocol === "dns") return upstream;
    throw new CorefileError(token, `resolver: must be IP[:PORT]: got '${token.text}'`);
  });
}

function readFqdn(token: Token): Name {
  try {
    return parseName(token.text);
  } catch (error) {
    throw new CorefileError(token, `health_check: ${(error as Error).message}`);
  }
}
