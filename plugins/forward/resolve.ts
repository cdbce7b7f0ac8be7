/**
 * Upstreams by name: resolved once, when the server starts, and never on the way of a query.
 *
 * @module
 */

import { lookup } from "node:dns/promises";
import { TYPE } from "../../core/dns/types.ts";
import { type Address, addressFromOctets, type Clock, parseAddress, parseName } from "../../core/plugin.ts";
import { Channel } from "./channel.ts";
import { type ForwardRule, UPSTREAMS_MAX, type WrittenRule } from "./config.ts";
import { Patience } from "./patience.ts";
import type { Sockets } from "./sockets.ts";
import { formatUpstream, type Upstream } from "./upstream.ts";

/** The addresses of every name, IPv4 first. Plain data. */
export type Resolved = Readonly<Record<string, readonly Address[]>>;

/** What resolving works with. */
export interface ResolveScope {
  readonly clock: Clock;
  readonly sockets: Sockets;
}

const TIMEOUT_MS = 5000;

/** The names among the upstreams of some rules. */
export function namesIn(rules: readonly WrittenRule[]): string[] {
  return rules.flatMap(({ upstreams }) =>
    upstreams.flatMap((upstream) => "hostName" in upstream ? upstream.hostName : [])
  );
}

/** Resolves them all. @throws {Error} When one has no address, or nobody says. */
export async function resolveAll(rules: readonly WrittenRule[], scope: ResolveScope): Promise<Resolved> {
  const entries = rules.flatMap((rule) =>
    namesIn([rule]).map(async (name) => {
      const addresses = await addressesOf(name, rule, scope).catch((error) => {
        throw new Error(`forward: cannot resolve the upstream ${name}: ${(error as Error).message}`);
      });
      if (addresses.length === 0) throw new Error(`forward: the upstream ${name} has no address`);
      return [name, addresses] as const;
    })
  );
  return Object.fromEntries(await Promise.all(entries));
}

/** A rule with addresses in the places of names; those that have none are left out. */
export function withAddresses(rule: WrittenRule, resolved: Resolved): ForwardRule {
  const upstreams = rule.upstreams.flatMap((upstream): Upstream[] => {
    if ("address" in upstream) return [upstream];
    const { hostName, ...rest } = upstream;
    return (resolved[hostName] ?? []).map((address) => ({ ...rest, address }));
  });
  const kept = upstreams.slice(0, UPSTREAMS_MAX);
  return { ...rule, upstreams: kept, attemptsMax: rule.attemptsMax || 2 * kept.length };
}

async function addressesOf(name: string, rule: WrittenRule, scope: ResolveScope): Promise<Address[]> {
  if (rule.resolvers.length > 0) return await askResolvers(name, rule, scope);
  const found = await lookup(name, { all: true });
  return found.flatMap(({ address }) => parseAddress(address) ?? []);
}

/** The first resolver that replies decides. */
async function askResolvers(name: string, rule: WrittenRule, scope: ResolveScope): Promise<Address[]> {
  const failures: string[] = [];
  for (const resolver of rule.resolvers) {
    try {
      const both = await Promise.all(
        [TYPE.A, TYPE.AAAA].map((type) => ask(name, type, resolver, rule, scope)),
      );
      return both.flat();
    } catch (error) {
      failures.push(`${formatUpstream(resolver)} ${(error as Error).message}`);
    }
  }
  throw new Error(failures.join("; "));
}

async function ask(
  name: string,
  type: number,
  resolver: Upstream,
  rule: WrittenRule,
  { clock, sockets }: ResolveScope,
): Promise<Address[]> {
  using patience = new Patience(clock, TIMEOUT_MS);
  const channel = new Channel(resolver, rule, { clock, sockets, onTaken() {}, onIgnored() {} });
  try {
    const question = {
      name: parseName(name),
      type,
      recursionDesired: true,
      checkingDisabled: false,
      dnssecOk: false,
    };
    const { answer } = await channel.exchange(question, "udp", patience);
    return answer.filter((record) => record.type === type).map(({ rdata }) => addressFromOctets(rdata));
  } finally {
    channel.close();
  }
}
