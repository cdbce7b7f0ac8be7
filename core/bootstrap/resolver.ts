/**
 * Asks resolvers, one after the other or all at once, and follows aliases.
 *
 * @module
 */

import type { Message, ResourceRecord } from "../dns/message.ts";
import { fold, formatName, type Name } from "../dns/name.ts";
import { CLASS, RCODE, rcodeToText, TYPE, typeToText } from "../dns/types.ts";
import { WireReader } from "../dns/wire.ts";
import { formatHostPort } from "./endpoint.ts";
import { GivenUpError, within } from "./deadline.ts";
import { exchange, type Exchanged, type Question, type ResolverAddress } from "./exchange.ts";
import type { BootstrapIo } from "./io.ts";

/** Whom to ask, and how. */
export interface ResolverOptions {
  /** At least one; in order of preference. */
  readonly resolvers: readonly ResolverAddress[];
  /** Whether all are asked at once, and the first good reply counts; else one after the other. */
  readonly race: boolean;
  /** How long one resolver is waited for, for one question. */
  readonly timeoutMs: number;
  /** How often each is asked the same at most. */
  readonly rounds: number;
  /** See {@linkcode ExchangeOptions}. */
  readonly mixCase: boolean;
  readonly io: BootstrapIo;
  /** Ends all of it. */
  readonly signal: AbortSignal;
}

/** One question that was put, and what came of it: for people who want to know. */
export interface Asked {
  /** `SRV _formation._tcp.example.org.` */
  readonly question: string;
  /** `192.0.2.53:53`. */
  readonly resolver: string;
  /** `NOERROR, 3 records by UDP`, or why there was no reply. */
  readonly outcome: string;
  readonly tookMs: number;
}

/** What a name and type come to, aliases followed. */
export interface Resolved {
  /** Of the type that was asked for; empty when there are none. */
  readonly records: readonly ResourceRecord[];
  /** The additional section of the last reply. */
  readonly additional: readonly ResourceRecord[];
  /** How long it holds, seconds: the least TTL on the way; Infinity without records. */
  readonly ttl: number;
}

/** No resolver could say; or aliases led nowhere. */
export class ResolveError extends Error {
  override readonly name = "ResolveError";
}

/** The most aliases in a row that are followed. */
export const ALIASES_MAX = 8;

/** TTLs of 2³¹ and more are none at all (RFC 2181 section 8). */
const TTL_MAX = 2 ** 31 - 1;

/** See the module. */
export class Resolver {
  /** Everything that was asked so far, in the order of the replies. */
  readonly asked: Asked[] = [];
  readonly #options: ResolverOptions;
  /** Resolvers that failed: they are asked after the others. */
  readonly #failed = new Set<ResolverAddress>();

  constructor(options: ResolverOptions) {
    this.#options = options;
  }

  /**
   * The records of a name and type. A name that does not exist has none.
   *
   * @throws {ResolveError} When nobody could say.
   * @throws {GivenUpError} When the signal aborted.
   */
  async resolve(name: Name, type: number): Promise<Resolved> {
    let current = name, ttl = Infinity, aliases = 0;
    for (;;) {
      const { answer, additional, rcode } = await this.#ask({ name: current, type });
      const from = current;
      for (;;) {
        const records = at(answer, current, type);
        if (records.length > 0) return { records, additional, ttl: Math.min(ttl, leastTtl(records)) };
        const alias = at(answer, current, TYPE.CNAME)[0];
        if (!alias) break;
        if (++aliases > ALIASES_MAX) {
          throw new ResolveError(`${formatName(name)}: more than ${ALIASES_MAX} aliases in a row`);
        }
        ttl = Math.min(ttl, leastTtl([alias]));
        current = new WireReader(alias.rdata).plainName();
      }
      // An authority stops where its own names end: the rest is asked for.
      if (current === from || rcode === RCODE.NXDOMAIN) return { records: [], additional: [], ttl };
    }
  }

  async #ask(question: Question): Promise<Message> {
    const { resolvers, rounds, race } = this.#options;
    const failures: string[] = [];
    for (let round = 0; round < rounds; round++) {
      const ordered = resolvers.toSorted((a, b) => Number(this.#failed.has(a)) - Number(this.#failed.has(b)));
      const reply = race
        ? await this.#askAll(ordered, question, failures)
        : await this.#askInTurn(ordered, question, failures);
      if (reply) return reply;
    }
    throw new ResolveError(`${describe(question)}: ${[...new Set(failures)].join("; ")}`);
  }

  async #askInTurn(
    resolvers: readonly ResolverAddress[],
    question: Question,
    failures: string[],
  ): Promise<Message | undefined> {
    for (const resolver of resolvers) {
      const reply = await this.#askOne(resolver, question, this.#options.signal, failures);
      if (reply) return reply;
    }
    return undefined;
  }

  /** The first reply of use; the others are not waited for. */
  async #askAll(
    resolvers: readonly ResolverAddress[],
    question: Question,
    failures: string[],
  ): Promise<Message | undefined> {
    const { signal: outer } = this.#options;
    const controller = new AbortController();
    const signal = AbortSignal.any([outer, controller.signal]);
    try {
      return await Promise.any(resolvers.map(async (resolver) => {
        const reply = await this.#askOne(resolver, question, signal, failures);
        if (!reply) throw new Error("no reply of use");
        return reply;
      }));
    } catch {
      if (outer.aborted) throw new GivenUpError("given up");
      return undefined;
    } finally {
      controller.abort();
    }
  }

  /** @returns Undefined when it failed: why is added to `failures`. */
  async #askOne(
    resolver: ResolverAddress,
    question: Question,
    signal: AbortSignal,
    failures: string[],
  ): Promise<Message | undefined> {
    const { io, timeoutMs, mixCase } = this.#options;
    const startedMs = io.elapsedMs(), to = formatHostPort(resolver);
    const note = (outcome: string) =>
      this.asked.push({
        question: describe(question),
        resolver: to,
        outcome,
        tookMs: io.elapsedMs() - startedMs,
      });
    try {
      const exchanged = await within(
        io.clock,
        timeoutMs,
        signal,
        (signal) => exchange(resolver, question, { io, signal, mixCase }),
      );
      this.#failed.delete(resolver);
      note(outcomeOf(exchanged));
      return exchanged.message;
    } catch (error) {
      if (error instanceof GivenUpError) {
        note(this.#options.signal.aborted ? "silent when the time was over" : "not waited for");
        throw error;
      }
      const why = error instanceof Error ? error.message : String(error);
      this.#failed.add(resolver);
      note(why);
      failures.push(`${to} ${why}`);
      return undefined;
    }
  }
}

/** Records of class IN, one name and one type, case aside; each RDATA once. */
export function at(records: readonly ResourceRecord[], name: Name, type: number): ResourceRecord[] {
  const folded = fold(name);
  const found = records.filter((record) =>
    record.type === type && record.class === CLASS.IN && fold(record.name) === folded
  );
  return [...new Map(found.map((record) => [record.rdata.join("."), record])).values()];
}

/** The least TTL of some records, seconds. */
export function leastTtl(records: readonly ResourceRecord[]): number {
  return Math.min(...records.map(({ ttl }) => ttl > TTL_MAX ? 0 : ttl));
}

function describe({ name, type }: Question): string {
  return `${typeToText(type)} ${formatName(name)}`;
}

function outcomeOf({ message: { rcode, answer }, transport }: Exchanged): string {
  const count = `${answer.length} ${answer.length === 1 ? "record" : "records"}`;
  return `${rcodeToText(rcode)}, ${count} by ${transport}`;
}
