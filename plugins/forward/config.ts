/**
 * What a `forward` directive says.
 *
 * @module
 */

import { readNames } from "../../core/dns/corefile_names.ts";
import { RCODE } from "../../core/dns/types.ts";
import {
  type Address,
  Arguments,
  CorefileError,
  type Directive,
  formatAddress,
  type Name,
  nearest,
  type Options,
  parseAddress,
  parseName,
  type ParseScope,
  readOptions,
  ROOT,
  type Token,
} from "../../core/plugin.ts";
import { POLICIES, type Policy } from "./policy.ts";

/** A server that is asked. Plain data. */
export interface Upstream {
  readonly address: Address;
  readonly port: number;
}

/** One `forward`. Plain data. */
export interface ForwardRule {
  /** Names at or below these are forwarded, folded. */
  readonly from: readonly Name[];
  /** Less the names at or below these, folded. */
  readonly except: readonly Name[];
  readonly upstreams: readonly Upstream[];
  readonly policy: Policy;
  /** What upstreams are asked over; `client`: as the client asked. */
  readonly transport: "client" | "tcp" | "udp";
  /** Failures in a row that mean down; 0 = never down. */
  readonly maxFails: number;
  readonly healthCheck: HealthCheck;
  /** Whether a query fails at once when every upstream is down; otherwise one is asked all the same. */
  readonly failFast: boolean;
  /** RCODEs for which the next upstream is asked. */
  readonly failover: readonly number[];
  /** How long to wait for one upstream. */
  readonly readTimeoutMs: number;
  /** How many exchanges one query may cost. */
  readonly attemptsMax: number;
  /** How many queries may wait at a time. */
  readonly concurrentMax: number;
}

/** How an upstream that failed is probed: `NAME NS`, every `intervalMs`. */
export interface HealthCheck {
  readonly intervalMs: number;
  readonly name: Name;
  readonly recursionDesired: boolean;
}

/** As `ADDRESS:PORT`, an IPv6 address in brackets. */
export function formatUpstream({ address, port }: Upstream): string {
  const text = formatAddress(address);
  return address.family === 6 ? `[${text}]:${port}` : `${text}:${port}`;
}

const UPSTREAMS_MAX = 15;
const CONCURRENT_MAX = 1000;
const READ_TIMEOUT_MS = 2000;
const HEALTH_CHECK: HealthCheck = { intervalMs: 500, name: ROOT, recursionDesired: true };

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
  failover: { usage: "failover RCODES...", repeats: true, read: readFailover },
  read_timeout: {
    usage: "read_timeout DURATION",
    read: (args: Arguments) => args.durationMs("DURATION", { min: 10, max: 60_000 }),
  },
  max_connect_attempts: {
    usage: "max_connect_attempts COUNT",
    read: (args: Arguments) => args.whole("COUNT", { min: 1, max: 1000 }),
  },
  max_concurrent: {
    usage: "max_concurrent COUNT",
    read: (args: Arguments) => args.whole("COUNT", { min: 1, max: 1e6 }),
  },
  expire: { usage: "expire DURATION", read: readIdle },
  max_age: { usage: "max_age DURATION", read: readIdle },
  max_idle_conns: {
    usage: "max_idle_conns COUNT",
    read: (args: Arguments, directive: Directive) => (args.whole("COUNT", { min: 0 }), directive.name),
  },
} satisfies Options;

/** Reads one `forward`. @throws {CorefileError} At the wrong word. */
export function parseRule(directive: Directive, scope: ParseScope): ForwardRule {
  const args = new Arguments(directive);
  const from = readNames(args.token("FROM"), scope.problems);
  const [first, ...others] = [args.token("TO"), ...args.rest()];
  const upstreams = [first!, ...others].flatMap((token) =>
    scope.problems.attempt(() => readUpstream(token)) ?? []
  );
  const tooMany = others[UPSTREAMS_MAX - 1];
  if (tooMany) scope.problems.error(tooMany, `forward: at most ${UPSTREAMS_MAX} upstreams, this is one more`);
  const read = readOptions(directive, options, scope.problems);
  for (const idle of [read.expire, read.max_age, read.max_idle_conns]) {
    if (idle) {
      scope.problems.warn(idle, `forward: ${idle.text} has no effect: no connection outlives its query`);
    }
  }
  return {
    from,
    except: (read.except ?? []).flat().flatMap((token) =>
      scope.problems.attempt(() => readNames(token, scope.problems)) ?? []
    ),
    upstreams,
    policy: read.policy ?? "random",
    transport: read.force_tcp ? "tcp" : read.prefer_udp ? "udp" : "client",
    maxFails: read.max_fails ?? 2,
    healthCheck: read.health_check ?? HEALTH_CHECK,
    failFast: read.failfast_all_unhealthy_upstreams ?? false,
    failover: (read.failover ?? []).flat(),
    readTimeoutMs: read.read_timeout ?? READ_TIMEOUT_MS,
    attemptsMax: read.max_connect_attempts ?? 2 * upstreams.length,
    concurrentMax: read.max_concurrent ?? CONCURRENT_MAX,
  };
}

/** Reads `IP`, `IP:PORT`, `[IP]:PORT`, each perhaps after `dns://`. */
function readUpstream(token: Token): Upstream {
  const scheme = /^([a-z0-9+.-]+):\/\//i.exec(token.text)?.[1]?.toLowerCase() ?? "dns";
  if (scheme !== "dns" || token.text.startsWith("/")) {
    throw new CorefileError(
      token,
      `forward: upstream '${token.text}' is not served yet: it must be IP[:PORT] or dns://IP[:PORT]`,
    );
  }
  const text = token.text.replace(/^[^/]*:\/\//, "");
  const [, bracketed, plain, port = "53"] = /^(?:\[([^\]]*)\]|([^:]*))(?::(\d{1,5}))?$/.exec(text) ??
    [, , text];
  const address = parseAddress(bracketed ?? plain ?? "");
  if (!address || Number(port) < 1 || Number(port) > 65535) {
    throw new CorefileError(
      token,
      `forward: upstream must be IP[:PORT] or dns://IP[:PORT]: got '${token.text}'`,
    );
  }
  return { address, port: Number(port) };
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
function readFailover(args: Arguments): number[] {
  return [args.token("RCODES"), ...args.rest()].map((token) => {
    const word = token.text.toUpperCase();
    if (Object.hasOwn(RCODE, word) && word !== "NOERROR") return RCODE[word as keyof typeof RCODE];
    const guess = nearest(word, Object.keys(RCODE).filter((rcode) => rcode !== "NOERROR"));
    const hint = guess ? `; did you mean '${guess}'?` : "";
    throw new CorefileError(
      token,
      `failover: RCODE must be one such as SERVFAIL, not NOERROR: got '${token.text}'${hint}`,
    );
  });
}

/** An option about idle connections; they are not kept here, but what is written must still be right. */
function readIdle(args: Arguments, directive: Directive): Token {
  args.durationMs("DURATION");
  return directive.name;
}

function readFqdn(token: Token): Name {
  try {
    return parseName(token.text);
  } catch (error) {
    throw new CorefileError(token, `health_check: ${(error as Error).message}`);
  }
}
