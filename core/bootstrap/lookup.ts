/**
 * What DNS says of a name's entry points: SRV records first, else the name's own addresses (RFC 2782, "Usage rules").
 *
 * @module
 */

import type { ResourceRecord } from "../dns/message.ts";
import { formatName, type Name, ROOT } from "../dns/name.ts";
import { TYPE, typeToText } from "../dns/types.ts";
import { addressFromOctets, formatAddress } from "../net/address.ts";
import type { Candidate } from "./candidate.ts";
import type { BootstrapIo } from "./io.ts";
import { at, leastTtl, type Resolved, type Resolver } from "./resolver.ts";
import { GivenUpError } from "./deadline.ts";
import { readSrv, type Srv, srvOrder } from "./srv.ts";

/** What is looked for. */
export interface Wanted {
  /** The bootstrap name. */
  readonly name: Name;
  /** The owner of the SRV records: `_formation._tcp.` before the name. */
  readonly service: Name;
  /** The port of addresses that come without. */
  readonly port: number;
}

/** What was found. */
export interface LookedUp {
  /** From SRV records, in the order in which their targets are to be tried. */
  readonly bySrv: readonly Candidate[];
  /** The name's own addresses. */
  readonly byAddress: readonly Candidate[];
  /** Whether the name says that there is no such service: one SRV record with the root as its target. */
  readonly isDenied: boolean;
  /** Whether a question had no answer, so that there may be more than was found. */
  readonly failures: readonly string[];
  /** How long all of it holds, seconds; Infinity when nothing was found. */
  readonly ttl: number;
}

/** So much of what a hostile answer may hold is used. */
export const TARGETS_MAX = 32, ADDRESSES_MAX = 16;

/** What a lookup is done with. */
export interface LookupTools {
  readonly resolver: Resolver;
  readonly io: Pick<BootstrapIo, "clock" | "random32">;
  /** So long after the first addresses of a host the others are waited for (RFC 8305 section 3, "Resolution Delay"). */
  readonly delayMs: number;
}

/** Asks for everything at once. What has no answer when the resolver's signal aborts is among the failures. */
export async function lookUp(wanted: Wanted, tools: LookupTools): Promise<LookedUp> {
  const failures: string[] = [];
  const resolve = (name: Name, type: number) => resolveOrNote(tools.resolver, name, type, failures);
  const asking = bothFamilies((type) => resolve(wanted.name, type), tools);
  const srv = await resolve(wanted.service, TYPE.SRV);
  const records = (srv?.records ?? []).map(readSrv);
  const isDenied = records.length === 1 && records[0]!.target === ROOT;
  const targets = srvOrder(records.filter(({ target }) => target !== ROOT), tools.io.random32)
    .slice(0, TARGETS_MAX);
  const found = await Promise.all(
    targets.map((target) => ofTarget(target, srv!.additional, resolve, tools)),
  );
  const bySrv = found.flatMap(({ candidates }) => candidates);
  const own = bySrv.length > 0 ? await orAfter(tools, asking) ?? [] : await asking;
  const ttls = [...srv ? [srv.ttl] : [], ...found.map(({ ttl }) => ttl), ...own.map(({ ttl }) => ttl)];
  return {
    bySrv,
    byAddress: candidatesOf(own, { port: wanted.port, priority: 0, host: hostOf(wanted.name) }),
    isDenied,
    failures,
    ttl: Math.min(Infinity, ...ttls),
  };
}

type Resolve = (name: Name, type: number) => Promise<Resolved | undefined>;

async function resolveOrNote(resolver: Resolver, name: Name, type: number, failures: string[]) {
  try {
    return await resolver.resolve(name, type);
  } catch (error) {
    // What others found counts all the same.
    const why = error instanceof GivenUpError
      ? `${typeToText(type)} ${formatName(name)}: the time for DNS was over`
      : (error as Error).message;
    if (!failures.includes(why)) failures.push(why);
    return undefined;
  }
}

/** AAAA is asked first. Where one family has addresses, the other is not waited for for long. */
async function bothFamilies(
  resolve: (type: number) => Promise<Resolved | undefined>,
  tools: LookupTools,
): Promise<Resolved[]> {
  const found: (Resolved | undefined)[] = [], first = Promise.withResolvers<void>();
  const all = Promise.all([TYPE.AAAA, TYPE.A].map(async (type, i) => {
    found[i] = await resolve(type);
    if (found[i] && found[i].records.length > 0) first.resolve();
  }));
  await Promise.race([all, first.promise]);
  await orAfter(tools, all);
  return found.filter((one) => one !== undefined);
}

/** What is promised, or undefined when it takes longer than the delay. */
async function orAfter<T>({ io, delayMs }: LookupTools, promised: Promise<T>): Promise<T | undefined> {
  const late = Promise.withResolvers<undefined>();
  const cancel = io.clock.after(delayMs, () => late.resolve(undefined));
  try {
    return await Promise.race([promised, late.promise]);
  } finally {
    cancel();
  }
}

/** The addresses of an SRV record's target: those of the additional section, and for the rest it is asked. */
async function ofTarget(
  srv: Srv,
  additional: readonly ResourceRecord[],
  resolve: Resolve,
  tools: LookupTools,
) {
  const found = await bothFamilies((type) => {
    const records = at(additional, srv.target, type);
    return records.length > 0
      ? Promise.resolve({ records, additional: [], ttl: leastTtl(records) })
      : resolve(srv.target, type);
  }, tools);
  const candidates = candidatesOf(found, { ...srv, host: hostOf(srv.target) }, "SRV");
  return { candidates, ttl: Math.min(Infinity, ...found.map(({ ttl }) => ttl)) };
}

function candidatesOf(
  found: readonly Resolved[],
  { port, priority, host }: { port: number; priority: number; host: string },
  from?: "SRV",
): Candidate[] {
  return found.flatMap(({ records }) =>
    records.slice(0, ADDRESSES_MAX).map(({ type, rdata }): Candidate => ({
      address: formatAddress(addressFromOctets(rdata)),
      ...{ port, priority, host, ageMs: 0 },
      from: from ?? (type === TYPE.A ? "A" : "AAAA"),
    }))
  );
}

function hostOf(name: Name): string {
  return formatName(name).replace(/\.$/, "");
}
