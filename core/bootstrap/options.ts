/** What a search for entry points can be told. @module */

import { fold, type Name, parseName } from "../dns/name.ts";
import { parseAddress } from "../net/address.ts";
import type { Endpoint } from "./endpoint.ts";
import type { ResolverAddress } from "./exchange.ts";
import { type BootstrapIo, SYSTEM_IO } from "./io.ts";

/** How one finds out that an entry point can be reached. */
export type Probe = "tcp" | "https" | "none";

/** Where to look, and how. All but the name has a default. */
export interface BootstrapOptions {
  /** The bootstrap name, such as `bootstrap.example.org`; absolute, with or without the last dot. */
  readonly name: string;
  /** What stands before it in the owner name of its SRV records. Default `_formation._tcp`. */
  readonly service?: string;
  /** The port of addresses that come without one. Default 51820. */
  readonly port?: number;
  /** How many entry points are wanted. Default 3. */
  readonly count?: number;
  /** Default: those of /etc/resolv.conf, with its timeout and attempts. */
  readonly resolvers?: readonly ResolverAddress[];
  /** Whether all resolvers are asked at once. Default: one after the other. */
  readonly raceResolvers?: boolean;
  /** How long one resolver is waited for, for one question. Default 2000. */
  readonly resolverTimeoutMs?: number;
  /** How often each resolver is asked the same at most. Default 2. */
  readonly resolverRounds?: number;
  /** Whether questions are sent in random case, which replies must repeat. Default true. */
  readonly mixCase?: boolean;
  /** Default `tcp`. */
  readonly probe?: Probe;
  /** For the probe `https`. */
  readonly https?: {
    /** Default `/health`. */
    readonly path?: string;
    /** Certificates of authorities, PEM, beside the system's. */
    readonly authority?: string;
  };
  /** For everything together; DNS gets half of it. Default 10000. */
  readonly timeoutMs?: number;
  /** So long after an attempt that is silent the next begins. Default 250, as RFC 8305 has it. */
  readonly attemptDelayMs?: number;
  /** How long one entry point is waited for. Default 2500. */
  readonly attemptTimeoutMs?: number;
  /** Where the last known good ones are kept; absent = nowhere. */
  readonly cache?: {
    readonly file: string;
    /** Older ones are not used. Default 7 days. */
    readonly maxAgeMs?: number;
  };
  /** For when nothing else helps, in this order. */
  readonly fallback?: readonly Endpoint[];
  /** Ends the search. */
  readonly signal?: AbortSignal;
  /** Default: the machine's own. */
  readonly io?: BootstrapIo;
}

/** The same, with nothing left open. */
export interface Plan {
  readonly name: Name;
  /** The owner of the SRV records, folded. */
  readonly service: Name;
  readonly port: number;
  readonly count: number;
  readonly resolvers: readonly ResolverAddress[] | undefined;
  readonly raceResolvers: boolean;
  readonly resolverTimeoutMs: number | undefined;
  readonly resolverRounds: number | undefined;
  readonly mixCase: boolean;
  readonly probe: Probe;
  readonly path: string;
  readonly authority: string | undefined;
  readonly timeoutMs: number;
  readonly attemptDelayMs: number;
  readonly attemptTimeoutMs: number;
  readonly cache: { readonly file: string; readonly maxAgeMs: number } | undefined;
  readonly fallback: readonly Endpoint[];
  readonly signal: AbortSignal;
  readonly io: BootstrapIo;
}

/** What is taken where nothing is said. */
export const DEFAULTS = Object.freeze({
  service: "_formation._tcp",
  port: 51_820,
  count: 3,
  path: "/health",
  timeoutMs: 10_000,
  resolverTimeoutMs: 2000,
  resolverRounds: 2,
  attemptDelayMs: 250,
  attemptTimeoutMs: 2500,
  cacheMaxAgeMs: 7 * 86_400_000,
});

/** Fills in what is not said. @throws {SyntaxError} At a name that is none. @throws {RangeError} At a number that cannot be. */
export function planOf(options: BootstrapOptions): Plan {
  const name = fold(parseName(options.name));
  for (const { address } of [...options.resolvers ?? [], ...options.fallback ?? []]) {
    if (!parseAddress(address)) throw new SyntaxError(`Wanted an IP address: got "${address}"`);
  }
  return {
    name,
    service: serviceOf(options.service ?? DEFAULTS.service, name),
    port: whole("port", options.port ?? DEFAULTS.port, 65_535),
    count: whole("count", options.count ?? DEFAULTS.count, 100),
    resolvers: options.resolvers && options.resolvers.length > 0 ? options.resolvers : undefined,
    raceResolvers: options.raceResolvers ?? false,
    resolverTimeoutMs: options.resolverTimeoutMs,
    resolverRounds: options.resolverRounds,
    mixCase: options.mixCase ?? true,
    probe: options.probe ?? "tcp",
    path: options.https?.path ?? DEFAULTS.path,
    authority: options.https?.authority,
    timeoutMs: whole("timeout in milliseconds", options.timeoutMs ?? DEFAULTS.timeoutMs, 3_600_000),
    attemptDelayMs: options.attemptDelayMs ?? DEFAULTS.attemptDelayMs,
    attemptTimeoutMs: options.attemptTimeoutMs ?? DEFAULTS.attemptTimeoutMs,
    cache: options.cache && { maxAgeMs: DEFAULTS.cacheMaxAgeMs, ...options.cache },
    fallback: options.fallback ?? [],
    signal: options.signal ?? new AbortController().signal,
    io: options.io ?? SYSTEM_IO,
  };
}

/** RFC 2782: `_Service._Proto.Name`. */
function serviceOf(service: string, name: Name): Name {
  if (!/^_[^.]+\._[^.]+\.?$/.test(service)) {
    throw new SyntaxError(`A service is written as _formation._tcp: got "${service}"`);
  }
  return fold(parseName(service.replace(/\.$/, ""), name));
}

function whole(what: string, value: number, max: number): number {
  if (Number.isInteger(value) && value >= 1 && value <= max) return value;
  throw new RangeError(`The ${what} must be a whole number from 1 to ${max}: got ${value}`);
}
