/**
 * Makes up a zone with everything in it that lookup has a rule for, and questions to ask of it.
 *
 * @module
 */

import { Random } from "./random.ts";

/** A made-up zone. */
export interface MadeUpZone {
  /** `example.org.` */
  readonly origin: string;
  /** The master file. */
  readonly text: string;
  /** Every owner name in it, presentation form, absolute. */
  readonly owners: readonly string[];
  /** The types at each owner name that has any. */
  readonly types: ReadonlyMap<string, ReadonlySet<string>>;
}

/** One question. */
export interface Asked {
  readonly name: string;
  readonly type: string;
  readonly edns: boolean;
}

const ORIGIN = "example.org.";

const LABELS = ["a", "b", "c", "d", "www", "mail", "_tcp", "x1", "*", "a\\.b", "\\000z", "Mixed"];

/** Types of data, with a maker of RDATA. `host` gives the name of a host, mostly one in the zone. */
const DATA: Readonly<Record<string, (random: Random, host: () => string) => string>> = {
  A: (random) => `192.0.2.${random.below(256)}`,
  AAAA: (random) => `2001:db8::${random.below(0xffff).toString(16)}`,
  TXT: (random) => `"text ${random.below(1000)}" "\\"quoted\\" ; \\200"`,
  MX: (random, host) => `${random.below(50)} ${host()}`,
  SRV: (random, host) => `${random.below(9)} ${random.below(9)} ${random.below(65536)} ${host()}`,
  PTR: (_random, host) => host(),
  CAA: (random) => `${random.pick(["0", "128"])} issue "ca${random.below(9)}.example"`,
  HINFO: (random) => `"cpu ${random.below(9)}" os`,
  NAPTR: (random, host) => `${random.below(9)} 10 "u" "E2U+sip" "" ${host()}`,
  SSHFP: (random) => `4 2 ${hex(random, 32)}`,
  TLSA: (random) => `3 1 1 ${hex(random, 32)}`,
  HTTPS: (random, host) =>
    `${1 + random.below(9)} ${host()} alpn="h2,h3" ipv4hint=192.0.2.${random.below(256)}`,
  SVCB: (_random, host) => `0 ${host()}`,
  LOC: (random) => `${random.below(90)} 30 15.5 N ${random.below(180)} 0 0 E 100m 1m 10m 10m`,
  RP: (_random, host) => `${host()} ${host()}`,
  AFSDB: (_random, host) => `1 ${host()}`,
  URI: (random) => `10 1 "https://example.org/${random.below(99)}"`,
  TYPE65400: (random) => `\\# 4 ${hex(random, 4)}`,
};

/** Types to ask for. */
const QTYPES = [
  ...Object.keys(DATA),
  "NS",
  "SOA",
  "CNAME",
  "DNAME",
  "DS",
  "DNSKEY",
  "NSEC",
  "RRSIG",
  "ANY",
  "TYPE65401",
];

/** Loops, a long chain, and a DNAME that makes names too long. */
const HARD_ALIASES: readonly [owner: string, type: "CNAME" | "DNAME", target: string][] = [
  ["self", "CNAME", "self"],
  ["loop1", "CNAME", "loop2"],
  ["loop2", "CNAME", "loop3"],
  ["loop3", "CNAME", "loop1"],
  ["*.wild-loop", "CNAME", "other.wild-loop"],
  ["dname-loop1", "DNAME", "dname-loop2"],
  ["dname-loop2", "DNAME", "dname-loop1"],
  ["grow", "DNAME", "again.and.again.grow"],
  ["long-dname", "DNAME", Array(3).fill("t".repeat(60)).join(".")],
  ...Array.from({ length: 25 }, (_, i) => [`link${i}`, "CNAME", `link${i + 1}`] as [string, "CNAME", string]),
];

/** A zone of about `count` owner names. */
export function makeUpZone(seed: number, count: number): MadeUpZone {
  return new ZoneMaker(new Random(seed)).make(count);
}

/** `count` questions about a zone: names it has, names beside, below and above them, in mixed case, of all types. */
export function makeUpQuestions(zone: MadeUpZone, seed: number, count: number): Asked[] {
  const random = new Random(seed);
  return Array.from({ length: count }, () => {
    const near = random.pick(zone.owners);
    const there = [...zone.types.get(near) ?? [], ...zone.types.get(`*.${above(near)}`) ?? []];
    return {
      name: random.chance(0.4) ? near : nameToAsk(zone, near, random),
      type: there.length > 0 && random.chance(0.6) ? random.pick(there) : random.pick(QTYPES),
      edns: random.chance(0.5),
    };
  });
}

/** A name near to one that the zone has. */
function nameToAsk({ origin }: MadeUpZone, near: string, random: Random): string {
  if (random.chance(0.01)) return `${"q".repeat(63)}.${random.pick(LABELS)}.long-dname.${origin}`;
  let name = near;
  if (random.chance(0.2) && name !== origin) name = above(name);
  const roll = random.next();
  if (roll < 0.35) name = `${random.pick([...LABELS, "absent", "q".repeat(63)])}.${name}`;
  if (roll < 0.1) name = `${random.pick(["deep", "*", "a.b.c"])}.${name}`;
  if (roll < 0.03) name = `${Array(3).fill("l".repeat(60)).join(".")}.${name}`;
  if (!name.endsWith(origin) || name.replaceAll(/\\\d{3}/g, "x").length > 250) name = origin;
  return random.chance(0.2) ? name.replace(/[a-z]/g, (c) => random.chance(0.5) ? c.toUpperCase() : c) : name;
}

/** The name without its first label; a dot in a label is `\.`. */
function above(name: string): string {
  return name.replace(/^(?:[^.\\]|\\.)*\./, "");
}

class ZoneMaker {
  readonly #random: Random;
  readonly #lines: string[] = [];
  readonly #owners: string[] = [ORIGIN];
  readonly #types = new Map<string, Set<string>>();
  /** Kinds of nodes still to be given their records, once all names are known. */
  readonly #aliases: [owner: string, type: "CNAME" | "DNAME"][] = [];
  readonly #data: string[] = [];
  readonly #cuts: string[] = [];

  constructor(random: Random) {
    this.#random = random;
  }

  make(count: number): MadeUpZone {
    while (this.#owners.length < count) this.#grow(ORIGIN, 1);
    this.#apex();
    for (const owner of this.#data) this.#addData(owner);
    for (const [owner, type] of this.#aliases) this.#add(owner, type, this.#target());
    for (const cut of this.#cuts) this.#delegate(cut);
    return {
      origin: ORIGIN,
      text: `$TTL 3600\n${this.#lines.join("\n")}\n`,
      owners: this.#owners,
      types: this.#types,
    };
  }

  /** A node below `parent`, and with some luck more below it. */
  #grow(parent: string, depth: number): void {
    const random = this.#random;
    const label = random.chance(0.3) ? `n${this.#owners.length}` : random.pick(LABELS);
    const owner = `${label}.${parent}`;
    if (this.#owners.includes(owner)) return;
    this.#owners.push(owner);
    const roll = random.next();
    if (roll < 0.15) return void this.#aliases.push([owner, "CNAME"]);
    if (roll < 0.22 && label !== "*") return void this.#aliases.push([owner, "DNAME"]);
    if (roll < 0.32 && label !== "*") return void this.#cuts.push(owner);
    if (roll < 0.85 || depth >= 4) this.#data.push(owner);
    // Else an empty non-terminal, if anything grows below.
    for (let children = random.below(4); children > 0 && depth < 4; children--) this.#grow(owner, depth + 1);
  }

  #apex(): void {
    this.#lines.push(`${ORIGIN} 7200 IN SOA ns1.example.org. hostmaster.example.org. 7 3600 600 86400 300`);
    for (const host of ["ns1.example.org.", "ns2.example.org.", "ns.example.net."]) {
      this.#add(ORIGIN, "NS", host);
    }
    for (const host of ["ns1.example.org.", "ns2.example.org."]) {
      this.#owners.push(host);
      this.#add(host, "A", "192.0.2.1");
      this.#add(host, "AAAA", "2001:db8::1");
    }
    this.#add(ORIGIN, "MX", `10 ${this.#host()}`);
    for (const [owner, type, target] of HARD_ALIASES) {
      this.#add(`${owner}.${ORIGIN}`, type, `${target}.${ORIGIN}`);
      this.#owners.push(`${owner}.${ORIGIN}`);
    }
  }

  #addData(owner: string): void {
    for (const type of this.#random.some(Object.keys(DATA), 1 + this.#random.below(4))) {
      for (let records = 1 + this.#random.below(3); records > 0; records--) {
        this.#add(owner, type, DATA[type]!(this.#random, () => this.#host()));
      }
    }
  }

  /** A delegation: name servers inside it, in a sister zone, in this zone and elsewhere, and data that it hides. */
  #delegate(cut: string): void {
    const random = this.#random;
    const hosts = [`ns.${cut}`, `ns.${random.pick(this.#cuts)}`, this.#host(), "ns.example.net.", cut];
    for (const host of random.some(hosts, 1 + random.below(3))) this.#add(cut, "NS", host);
    this.#add(`ns.${cut}`, "A", `192.0.2.${random.below(256)}`);
    if (random.chance(0.5)) this.#add(`ns.${cut}`, "AAAA", `2001:db8::${random.below(0xffff).toString(16)}`);
    if (random.chance(0.3)) this.#add(cut, "DS", `${random.below(65536)} 13 2 ${hex(random, 32)}`);
    if (random.chance(0.3)) this.#add(`hidden.${cut}`, "TXT", "hidden");
    if (random.chance(0.3)) this.#add(`*.${cut}`, "A", "192.0.2.99");
    this.#owners.push(`ns.${cut}`);
  }

  /** Each RRset has one TTL, that of its owner and type: servers differ where TTLs do. */
  #add(owner: string, type: string, rdata: string): void {
    const ttl = 60 + (owner.length * 7 + type.length * 31) % 1000;
    this.#lines.push(`${owner} ${ttl} IN ${type} ${rdata}`);
    this.#types.set(owner, (this.#types.get(owner) ?? new Set()).add(type));
  }

  /** A host in the zone, one that a wildcard may stand for, or one elsewhere. */
  #host(): string {
    const roll = this.#random.next();
    if (roll < 0.2) return "host.example.net.";
    const owner = this.#random.pick(this.#owners);
    return roll < 0.4 ? `${this.#random.pick(LABELS)}.${owner.replace(/^\*\./, "")}` : owner;
  }

  /** Where an alias leads: to what is there, what is not, or out of the zone. */
  #target(): string {
    const roll = this.#random.next();
    if (roll < 0.1) return "elsewhere.example.net.";
    const owner = this.#random.pick(this.#owners);
    return roll < 0.3 ? `${this.#random.pick(LABELS)}.${owner}` : owner;
  }
}

function hex(random: Random, octets: number): string {
  return Array.from({ length: octets }, () => random.below(256).toString(16).padStart(2, "0")).join("");
}
