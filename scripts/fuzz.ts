/**
 * Throws mutated messages at the codec and the responder: `deno run -A scripts/fuzz.ts [COUNT] [SEED]`, a million by
 * default. Stops at the first message that breaks a promise, printing it in hex.
 *
 *     decodeQuery     never throws
 *     respond         answers within its limit; the answer reads back, ID and question unchanged
 *     decodeMessage   throws WireError alone; what it reads is written, and written the same a second time
 *     a whole server  with the plugins that strangers meet first, meets no bug, answers what it was asked, and sends nobody
 *                     who is over a limit more than he sent, but for a cookie
 *
 * @module
 */

import { ManualClock } from "../core/clock.ts";
import { loadCorefile } from "../core/command/load.ts";
import { type Answer, emptyAnswer, INDEPENDENT, type RRset } from "../core/answer.ts";
import { encodeClientSubnet } from "../core/dns/edns.ts";
import { decodeMessage, encodeMessage, makeQuery, type Message } from "../core/dns/message.ts";
import { fold, type Name, parseName } from "../core/dns/name.ts";
import { type DecodedQuery, decodeQuery, NO_QUESTION } from "../core/dns/query.ts";
import { parseRdata } from "../core/dns/rdata.ts";
import { TYPE } from "../core/dns/types.ts";
import { WireError } from "../core/dns/wire.ts";
import { parseAddress } from "../core/net/address.ts";
import { respond, respondError, type ResponseLimits } from "../core/responder.ts";
import { Server } from "../core/server/server.ts";
import { plugins } from "../plugins/mod.ts";

/** What a run found. */
export interface FuzzReport {
  readonly count: number;
  readonly seconds: number;
  /** By what decodeQuery() made of the messages, and how many decodeMessage() read. */
  readonly outcomes: Readonly<Record<"query" | "error" | "drop" | "read", number>>;
  /** The longest that one message took, of each sixteenth, and what the heap grew by. */
  readonly slowestMs: number;
  readonly heapGrowthMiB: number;
}

/** Runs `count` mutated messages. @throws {Error} At the first that breaks a promise. */
export function fuzz(count: number, seed: number): FuzzReport {
  const random = randomNumbers(seed), seeds = seedMessages();
  const outcomes = { query: 0, error: 0, drop: 0, read: 0 };
  const heapBefore = Deno.memoryUsage().heapUsed, startMs = performance.now();
  let slowestMs = 0;
  for (let i = 0; i < count; i++) {
    const octets = mutate(pick(seeds, random), seeds, random);
    try {
      outcomes[tryAnswering(octets, random)]++;
      if (tryReading(octets)) outcomes.read++;
      // The machine may have been busy elsewhere: the shortest of three counts.
      const takenMs = () => durationMs(() => (tryAnswering(octets, random), tryReading(octets)));
      if (i % 16 === 0) slowestMs = Math.max(slowestMs, Math.min(takenMs(), takenMs(), takenMs()));
    } catch (cause) {
      throw new Error(`Message ${i} of seed ${seed} broke a promise: ${octets.toHex()}`, { cause });
    }
  }
  return {
    count,
    seconds: (performance.now() - startMs) / 1000,
    outcomes,
    slowestMs,
    heapGrowthMiB: (Deno.memoryUsage().heapUsed - heapBefore) / 2 ** 20,
  };
}

/** How many of the messages were answered, how many of those truncated, and how many not answered. */
export interface ChainFuzzReport {
  readonly count: number;
  readonly answered: number;
  readonly truncated: number;
  readonly silent: number;
}

/** Sends `count` mutated messages through a whole server. @throws {Error} At the first that breaks a promise. */
export async function fuzzChain(count: number, seed: number): Promise<ChainFuzzReport> {
  const random = randomNumbers(seed), clock = new ManualClock(FUZZ_START_MS), faults: string[] = [];
  const log = { debug() {}, info() {}, warn() {}, error: (message: string) => void faults.push(message) };
  const { configuration } = await loadCorefile({ file: "Corefile", text: CHAIN }, plugins, 53);
  const server = await Server.start({
    ...{ configuration, modules: plugins, log, clock, random, listens: false },
    writeLine() {},
  });
  const seeds = [...seedMessages(), ...cookieMessages()],
    report = { count, answered: 0, truncated: 0, silent: 0 };
  try {
    for (let i = 0; i < count; i++) {
      const octets = mutate(pick(seeds, random), seeds, random);
      clock.advance(Math.floor(20 * random()));
      try {
        report[await trySending(octets, server, random)]++;
        expect(faults.length === 0, `no bug: ${faults[0]}`);
      } catch (cause) {
        throw new Error(`Message ${i} of seed ${seed} broke a promise: ${octets.toHex()}`, { cause });
      }
    }
  } finally {
    await server.close();
  }
  return report;
}

/** 198.51.100.100 has the cookie of RFC 9018's appendix A.1 from this moment on. */
const FUZZ_START_MS = 1559731985_000, COOKIE_A1 = "2464c4abcf10c957010000005cf79f111f8130c3eee29480";

const CHAIN = `{
    state off
}
. {
    cookie {
        secret e5e973e5a6b2a43f48e7dc849e37bfcf
    }
    rrl {
        rate 1
        burst 3
        slip 2
        ipv4 /32 1 /24 2
    }
    acl {
        drop net 192.0.2.66
        block type NS net 198.51.100.0/25 2001:db8::/32
        filter type TXT
    }
    any
    cancel
    whoami
}
sub.example.org {
    cookie {
        secret e5e973e5a6b2a43f48e7dc849e37bfcf
        require
    }
    any
    whoami
}
`;

const SOURCES = ["198.51.100.100", "198.51.100.101", "192.0.2.1", "192.0.2.66", "2001:db8::1", "2001:db8::2"]
  .map(
    (text) => parseAddress(text)!,
  );

async function trySending(octets: Uint8Array, server: Server, random: () => number) {
  const transport = random() < 0.8 ? "udp" : "tcp", address = pick(SOURCES, random);
  const arrival = {
    source: { address, port: 5353 },
    server: { address: SOURCES[0]!, port: 53 },
    transport,
  } as const;
  const { octets: reply } = await server.answering.examine(octets, arrival);
  if (!reply) return "silent";
  const { isResponse, id, truncated } = decodeMessage(reply);
  expect(isResponse && id === (octets[0]! << 8 | octets[1]!), "a response of the query's ID");
  if (!truncated) return "answered";
  expect(reply.length <= octets.length + 16, `no more octets than the query's: got ${reply.length}`);
  return "truncated";
}

/** Cookies of each kind: good, too short, of another version, and with more behind them. */
function cookieMessages(): Uint8Array[] {
  const cookies = [
    COOKIE_A1,
    COOKIE_A1.slice(0, 30),
    `${COOKIE_A1.slice(0, 16)}02${COOKIE_A1.slice(18)}`,
    COOKIE_A1 + "00",
  ];
  return ["www.example.org.", "a.sub.example.org."].flatMap((name) =>
    [TYPE.A, TYPE.ANY, TYPE.TXT, TYPE.NS].flatMap((type) =>
      cookies.map((text) => {
        const options = [{ code: 10, data: Uint8Array.fromHex(text) }];
        return encodeMessage(makeQuery(9, parseName(name), type, { edns: { options } }));
      })
    )
  );
}

function durationMs(run: () => void): number {
  const beforeMs = performance.now();
  run();
  return performance.now() - beforeMs;
}

function tryAnswering(octets: Uint8Array, random: () => number): "query" | "error" | "drop" {
  const query = decodeQuery(octets);
  if (query.kind === "drop") return "drop";
  if (query.kind === "error") {
    const reply = decodeMessage(respondError(query, query.rcode));
    expect(reply.isResponse && reply.id === query.id && reply.rcode === query.rcode, "the error to be told");
    return "error";
  }
  const limits = pick(LIMITS, random), written = respond(query, pick(ANSWERS, random), limits);
  expect(
    written.length <= limitOf(query, limits),
    `a reply within its limit, not of ${written.length} octets`,
  );
  const { isResponse, id, questions, edns } = decodeMessage(written);
  expect(isResponse && id === query.id, "a response of the query's ID");
  const asked = query.question === NO_QUESTION ? undefined : query.question.name;
  expect(questions[0]?.name === asked, "the question as it came");
  expect((edns === undefined) === (query.edns === undefined), "OPT for OPT");
  return "query";
}

function tryReading(octets: Uint8Array): boolean {
  let message: Message;
  try {
    message = decodeMessage(octets);
  } catch (error) {
    if (error instanceof WireError) return false;
    throw error;
  }
  // Both must succeed: what was read had no RCODE above its bits, and compression only shortens.
  const written = encodeMessage(message), again = encodeMessage(decodeMessage(written));
  expect(written.toHex() === again.toHex(), "the same octets from what was written and read");
  return true;
}

function expect(claim: boolean, what: string): asserts claim {
  if (!claim) throw new Error(`expected ${what}`);
}

const LIMITS: readonly ResponseLimits[] = [
  { transport: "udp" },
  { transport: "udp", maxOctets: 512 },
  { transport: "udp", maxOctets: 4096 },
  { transport: "tcp", keepaliveMs: 10_000 },
];

function limitOf(query: DecodedQuery, { transport, maxOctets = 1232 }: ResponseLimits): number {
  return transport === "tcp" ? 65535 : Math.max(512, Math.min(query.edns?.payloadSize ?? 512, maxOctets));
}

const ORIGIN = parseName("example.org.");

function rrset(owner: string, type: keyof typeof TYPE, ...texts: string[]): RRset {
  const rdata = texts.map((text) =>
    parseRdata(TYPE[type], text.split(" ").map((word) => ({ text: word, quoted: false })), ORIGIN)
  );
  return { name: parseName(owner, ORIGIN), type: TYPE[type], ttl: 300, rdata };
}

const ADDRESSES = rrset("www", "A", "192.0.2.1", "192.0.2.2");
const SERVERS = rrset("@", "NS", "ns1", "ns2.sub");
const GLUE = [rrset("ns1", "A", "192.0.2.3"), rrset("ns2.sub", "AAAA", "2001:db8::3", "2001:db8::4")];
const LONG = rrset("long", "TXT", ...Array.from({ length: 20 }, (_, i) => `${i}${"t".repeat(200)}`));
const SOA = rrset("@", "SOA", "ns1 host 1 2 3 4 5");
const SERVICE = rrset("www", "HTTPS", "1 . alpn=h2,h3 ipv4hint=192.0.2.1");
const SIGNATURE = rrset("www", "RRSIG", "A 13 3 300 20260101000000 20251201000000 7 @ AAECAwQF");

const ANSWERS: readonly Answer[] = [
  emptyAnswer(5),
  emptyAnswer(23, { extendedErrors: [{ infoCode: 22, text: "x".repeat(300) }] }),
  emptyAnswer(0, { authoritative: true, answer: [ADDRESSES, SIGNATURE] }),
  emptyAnswer(0, {
    answer: [ADDRESSES, ADDRESSES, SERVICE],
    authority: [SERVERS],
    additional: [...GLUE, ADDRESSES],
    dependence: { ...INDEPENDENT, scopePrefixLength: 200 },
  }),
  emptyAnswer(0, { authority: [SERVERS], additional: [...GLUE, LONG] }),
  emptyAnswer(3, { authoritative: true, authority: [SOA] }),
  emptyAnswer(0, { answer: [ADDRESSES, LONG], options: [{ code: 3, data: new Uint8Array(90) }] }),
];

function seedMessages(): Uint8Array[] {
  const name = parseName("wWw.example.org."),
    address = { family: 4, octets: Uint8Array.of(192, 0, 2, 0) } as const;
  const subnet = encodeClientSubnet({ address, sourcePrefixLength: 24 });
  const cookie = { code: 10, data: new Uint8Array(8).fill(7) };
  const queries = [
    makeQuery(1, name, TYPE.A, { recursionDesired: true }),
    makeQuery(2, name, TYPE.AAAA, { edns: {} }),
    makeQuery(3, name, TYPE.A, { edns: { dnssecOk: true, payloadSize: 4096, options: [subnet, cookie] } }),
    makeQuery(4, "\0" as Name, TYPE.NS, { edns: { options: [{ code: 11, data: new Uint8Array(0) }] } }),
  ];
  const responses = queries.flatMap(({ questions: [question], edns, id }) =>
    ANSWERS.map((answer) => {
      const query = {
        kind: "query",
        id,
        opcode: 0,
        recursionDesired: false,
        authenticData: false,
        checkingDisabled: false,
      } as const;
      const folded = fold(question!.name);
      return respond({ ...query, question: question!, folded, edns }, answer, { transport: "tcp" });
    })
  );
  // A response is dropped at its first bit, so most are made queries, and queries come more often than each of them.
  const often = Array.from({ length: 12 }, () => queries.map(encodeMessage)).flat();
  return [...often, ...responses, ...responses.map(withoutQr)];
}

function withoutQr(octets: Uint8Array): Uint8Array {
  const copy = octets.slice();
  copy[2]! &= 0x7f;
  return copy;
}

/** Octets that mean something in some place: pointers, label types, lengths at their limits, type numbers. */
const TELLING = [0, 1, 2, 4, 8, 12, 28, 41, 63, 64, 65, 127, 128, 192, 193, 255];

export function mutate(octets: Uint8Array, seeds: readonly Uint8Array[], random: () => number): Uint8Array {
  let list = [...octets];
  for (let changes = Math.floor(4 * random()); changes >= 0; changes--) {
    const at = Math.floor(random() * list.length), length = 1 + Math.floor(12 * random());
    switch (Math.floor(7 * random())) {
      case 0:
        list[at] = Math.floor(256 * random());
        break;
      case 1:
        list[at] = pick(TELLING, random);
        break;
      case 2:
        list[at]! ^= 1 << Math.floor(8 * random());
        break;
      case 3:
        list.splice(at, length);
        break;
      case 4:
        list.splice(at, 0, ...list.slice(at, at + length));
        break;
      case 5:
        list = list.slice(0, at);
        break;
      default: {
        const other = pick(seeds, random), from = Math.floor(random() * other.length);
        list.splice(at, length, ...other.subarray(from, from + 4 * length));
      }
    }
  }
  return Uint8Array.from(list);
}

function pick<T>(all: readonly T[], random: () => number): T {
  return all[Math.floor(random() * all.length)]!;
}

/** Uniform in [0, 1), the same for the same seed: a counter's steps, hashed. */
function randomNumbers(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = state + 0x9e3779b9 >>> 0;
    let hash = state;
    hash = Math.imul(hash ^ hash >>> 16, 0x85ebca6b);
    hash = Math.imul(hash ^ hash >>> 13, 0xc2b2ae35);
    return ((hash ^ hash >>> 16) >>> 0) / 2 ** 32;
  };
}

if (import.meta.main) {
  const [count = "1000000", seed = "1"] = Deno.args;
  console.log(fuzz(Number(count), Number(seed)));
  console.log(await fuzzChain(Math.ceil(Number(count) / 4), Number(seed)));
}
