/**
 * Holds plugins to what they say of their replies: whatever an answer's dependence does not mention may differ between two
 * queries, and the reply is the same, octet for octet, but for what whoever repeats it writes anew: the message ID, the
 * spelling of the question, flags that are echoed, the client's network.
 *
 * @module
 */

import type { Answer, DecidedAt, EdnsOption } from "../../../core/answer.ts";
import type { ManualClock } from "../../../core/clock.ts";
import { encodeClientSubnet } from "../../../core/dns/edns.ts";
import { decodeMessage, encodeMessage, makeQuery } from "../../../core/dns/message.ts";
import { fold, isWithin, type Name, nextCloser, parseName } from "../../../core/dns/name.ts";
import { hashNameText } from "../../../core/dns/name_hash.ts";
import { OPTION, TYPE, typeFromText } from "../../../core/dns/types.ts";
import { parseAddress, parsePrefix } from "../../../core/net/address.ts";
import { mapRRsets } from "../../../core/plugin.ts";
import { respond } from "../../../core/responder.ts";
import { decodeQuery } from "../../../core/dns/query.ts";
import type { Repeatable } from "../../../core/server/exchange.ts";
import type { Server } from "../../../core/server/server.ts";

/** One query, and how it comes. */
export interface Asked {
  readonly name: string;
  readonly type: string;
  readonly id: number;
  readonly source: string;
  readonly port: number;
  readonly server: string;
  readonly transport: "udp" | "tcp";
  readonly edns: boolean;
  readonly dnssecOk: boolean;
  readonly checkingDisabled: boolean;
  readonly subnet?: string;
  /** Options beside ECS. */
  readonly options?: readonly EdnsOption[];
}

const PLAIN: Omit<Asked, "name" | "type"> = {
  id: 4000,
  source: "198.51.100.7",
  port: 5353,
  server: "127.0.0.1",
  transport: "udp",
  edns: false,
  dnssecOk: false,
  checkingDisabled: false,
};

/** The forms of query that each question is asked in. */
const FORMS: readonly Partial<Asked>[] = [
  {},
  { edns: true, dnssecOk: true },
  { edns: true, subnet: "198.51.100.0/24" },
  { edns: true, source: "2001:db8::7", checkingDisabled: true },
  { edns: true, options: [{ code: OPTION.NSID, data: new Uint8Array(2) }] },
];

/** Some that nobody knows, and an odd NSID option, which is one all the same. */
const UNKNOWN = [65001, 12].map((code) => ({ code, data: new Uint8Array(3) }));
const ODD_NSID = { code: OPTION.NSID, data: Uint8Array.of(1, 2, 3) };

/** How long after a reply it is asked for again, milliseconds. */
const LATER_MS: readonly number[] = [1, 700, 4200, 61_000, 299_500];

/** A reply that may be repeated, with the query that got it. */
interface Kept {
  readonly asked: Asked;
  readonly repeatable: Repeatable;
  readonly madeMs: number;
}

/** What a server says that is not as its answers say. */
export class Checker {
  readonly violations = new Set<string>();
  /** How many replies could be repeated, and how many pairs of queries were compared. */
  kept = 0;
  pairs = 0;
  readonly #server: Server;
  readonly #clock: ManualClock;

  constructor(server: Server, clock: ManualClock) {
    this.#server = server;
    this.#clock = clock;
  }

  /** Asks every name for every type, and all that may be told apart from it by nothing. */
  check(names: readonly string[], types: readonly string[]): void {
    const kept: Kept[] = [];
    for (const type of types) {
      for (const name of names) {
        for (const form of FORMS) {
          const one = this.#keep({ ...PLAIN, name, type, ...form });
          if (!one) continue;
          kept.push(one);
          this.#checkCircumstances(one);
          if (Object.keys(form).length < 2) this.#checkNeighbours(one, names);
          if (kept.length % 5 === 0) this.#checkCounts(one);
        }
      }
    }
    this.kept += kept.length;
    this.#checkLater(kept);
  }

  /** Twice, for the first reply may come from elsewhere than all those after it. */
  #keep(asked: Asked): Kept | undefined {
    this.#ask(asked);
    const repeatable = this.#ask(asked).repeatable;
    return repeatable && mayBeKept(repeatable.answer, this.#clock.nowMs())
      ? { asked, repeatable, madeMs: this.#clock.nowMs() }
      : undefined;
  }

  #ask({ name, source, port, server, transport, ...how }: Asked) {
    const octets = encode({ name, source, port, server, transport, ...how });
    const outcome = this.#server.answering.examine(octets, {
      source: { address: parseAddress(source)!, port },
      server: { address: parseAddress(server)!, port: 1053 },
      transport,
    });
    if (outcome instanceof Promise) throw new Error(`${name} had to wait`);
    return outcome;
  }

  #checkCircumstances(kept: Kept): void {
    const { asked } = kept, free = freeChanges(kept);
    for (const change of [...free, Object.assign({}, ...free)]) this.#compare(kept, { ...asked, ...change });
  }

  /** Other names that were decided where this one was. */
  #checkNeighbours(kept: Kept, names: readonly string[]): void {
    const { repeats, answer: { dependence: { decidedAt } } } = kept.repeatable;
    if (repeats !== "absence" || !decidedAt) return;
    const octets = parseName(kept.asked.name).length;
    for (const other of names) {
      const name = fold(parseName(other));
      if (name.length === octets && this.#standsFor(decidedAt, name)) {
        this.#compare(kept, { ...kept.asked, name: other });
      }
    }
  }

  /**
   * As a memo finds a reply for a name: by the label that it has more than the encloser, unless one of the server's zones
   * lies between the two.
   */
  #standsFor({ name: encloser, existing }: DecidedAt, name: Name): boolean {
    if (name.length <= encloser.length || !isWithin(name, encloser)) return false;
    const zones = this.#server.configuration.blocks.flatMap((
      { facts },
    ) => [...facts.zones, ...facts.dataZones]);
    if (zones.some((zone) => zone.length > encloser.length && isWithin(name, zone))) return false;
    return !existing?.has(hashNameText(nextCloser(name, encloser)));
  }

  /** As the clock goes on, until the snapshot is another. */
  #checkLater(kept: readonly Kept[]): void {
    const startMs = this.#clock.nowMs();
    for (const laterMs of LATER_MS) {
      this.#clock.advanceTo(startMs + laterMs);
      for (const one of kept) {
        const nowMs = this.#clock.nowMs(), { answer, context } = one.repeatable;
        if (!mayBeKept(answer, nowMs)) continue;
        if (this.#ask(one.asked).repeatable?.context.snapshot === context.snapshot) {
          this.#compare(one, one.asked);
        }
      }
    }
  }

  #compare(kept: Kept, other: Asked): void {
    this.pairs++;
    const said = this.#ask(other), expected = repeated(kept, this.#clock.nowMs());
    const [is, was] = [said.octets && normal(said.octets), normal(expected)];
    if (is === was) return;
    const differs = Object.entries(other).filter(([key, value]) => value !== kept.asked[key as keyof Asked]);
    const how = differs.map(([key, value]) => `${key} ${value}`).join(", ") ||
      `${this.#clock.nowMs() - kept.madeMs} ms later`;
    this.violations.add(`${kept.asked.name} ${kept.asked.type}: another reply for ${how}\n  ${was}\n  ${is}`);
  }

  /** What plugins hear and count of a reply that is given twice more. */
  #repeatTwice({ block, context, answer, sent }: Repeatable): void {
    const again = { ...sent, durationMs: 0 };
    for (const plugin of block.talliers ?? []) {
      for (const { series, value } of plugin.tallies!(context, answer, again)) series.record(value, 2);
    }
    for (const plugin of block.observers) {
      for (let i = 0; i < 2; i++) plugin.observe!(context, answer, again);
    }
  }

  /** To be asked once and counted three times is to be asked three times. */
  #checkCounts({ asked }: Kept): void {
    const { metrics } = this.#server;
    const before = metrics.snapshot();
    for (let i = 0; i < 3; i++) this.#ask(asked);
    const thrice = metrics.snapshot();
    const { repeatable } = this.#ask(asked);
    this.#repeatTwice(repeatable!);
    const after = metrics.snapshot();
    for (const series of Object.keys(after)) {
      const [asking, counting] = [
        (thrice[series] ?? 0) - (before[series] ?? 0),
        (after[series] ?? 0) - (thrice[series] ?? 0),
      ];
      if (asking !== counting) {
        this.violations.add(
          `${asked.name} ${asked.type}: asked ${asking} times, counted ${counting}: ${series}`,
        );
      }
    }
  }
}

/** What is no accident, and stands. */
function mayBeKept(
  { silent, fault, momentary, aging, dependence: { keys, untilMs = Infinity } }: Answer,
  nowMs: number,
): boolean {
  if (silent || fault || keys.includes("port") || (momentary && !aging)) return false;
  return nowMs < Math.min(untilMs, aging?.untilMs ?? Infinity);
}

/** Changes of a query that its answer has nothing to do with. */
function freeChanges({ asked, repeatable: { answer, reply, asked: asks } }: Kept): Partial<Asked>[] {
  const { keys, scopePrefixLength, clients, rotation = 1 } = answer.dependence;
  const isTailored = scopePrefixLength > 0 || clients !== undefined || keys.includes("tailored");
  const isSpelled = !answer.answer.some(({ type }) => type === TYPE.DNAME);
  const changes: Partial<Asked>[] = [{ id: asked.id + 7 * rotation }, { port: 40_001 }];
  if (asked.edns && !asks.some(({ readsOptions }) => readsOptions)) {
    changes.push({ options: asked.options ? [...UNKNOWN, ODD_NSID] : UNKNOWN });
  }
  if (isSpelled) changes.push({ name: asked.name.toUpperCase() });
  if (!keys.includes("server")) changes.push({ server: "127.0.0.2" });
  if (!keys.includes("transport") && reply.isComplete) changes.push({ transport: "tcp" });
  if (!keys.includes("cd")) changes.push({ checkingDisabled: !asked.checkingDisabled });
  if (!keys.includes("do") && asked.edns && !answer.authenticData) {
    changes.push({ dnssecOk: !asked.dnssecOk });
  }
  if (!keys.includes("source") && (!isTailored || asked.subnet !== undefined)) {
    changes.push({ source: "2001:db8:77::1" }, { source: "203.0.113.9" });
  }
  if (!isTailored && asked.subnet !== undefined) changes.push({ subnet: "203.0.113.0/24" });
  if (isTailored && scopePrefixLength > 0 && scopePrefixLength < 24 && asked.subnet !== undefined) {
    changes.push({ subnet: "198.51.101.0/24" });
  }
  return changes;
}

/** The reply as it would be given again, its TTLs counted down where they age. */
function repeated({ asked, repeatable: { answer, reply }, madeMs }: Kept, nowMs: number): Uint8Array {
  const { sinceMs = madeMs } = answer.aging ?? {};
  const seconds = Math.floor((nowMs - sinceMs) / 1000) - Math.floor((madeMs - sinceMs) / 1000);
  if (!answer.aging || seconds === 0) return reply.octets;
  const query = decodeQuery(encode(asked));
  if (query.kind !== "query") throw new Error("not a query");
  return respond(query, mapRRsets(answer, (rrset) => ({ ...rrset, ttl: rrset.ttl - seconds })), asked);
}

function encode(
  { name, type, id, edns, dnssecOk, checkingDisabled, subnet, options: others = [] }: Asked,
): Uint8Array {
  const prefix = subnet === undefined ? undefined : parsePrefix(subnet)!;
  const subnets = prefix ? [encodeClientSubnet({ address: prefix, sourcePrefixLength: prefix.length })] : [];
  const options = [...others, ...subnets];
  return encodeMessage(makeQuery(id, parseName(name), typeFromText(type)!, {
    checkingDisabled,
    ...edns && { edns: { options, dnssecOk } },
  }));
}

/** A reply without ID, CD, the question's name, DO, and the client's network. */
function normal(reply: Uint8Array): string {
  const octets = reply.slice(), { questions, edns } = decodeMessage(reply);
  octets.fill(0, 0, 2);
  octets[3]! &= ~0x10;
  octets.fill(0, 12, 12 + questions[0]!.name.length);
  if (edns) {
    let at = octets.length - edns.options.reduce((sum, { data }) => sum + 4 + data.length, 0);
    octets[at - 4]! &= 0x7f;
    for (const { code, data } of edns.options) {
      if (code === OPTION.CLIENT_SUBNET) octets.fill(0, at + 8, at + 4 + data.length).fill(0, at + 6, at + 7);
      at += 4 + data.length;
    }
  }
  return octets.toHex();
}
