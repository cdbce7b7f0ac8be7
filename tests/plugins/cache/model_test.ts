/**
 * The cache against a slow model: a list of everything that was ever said, searched from end to end for each query.
 */

import assert from "node:assert/strict";
import fc from "fast-check";
import { RCODE } from "../../../core/dns/types.ts";
import { type Answer, parsePrefix, type QueryContext } from "../../../core/plugin.ts";
import { asking, Bench, linesOf, said } from "./upstream.ts";

const NAMES = ["a.example.org", "b.example.org"];
const SUBNETS = [
  undefined,
  "0.0.0.0/0",
  "192.0.2.0/24",
  "192.0.3.0/24",
  "192.0.2.0/25",
  "192.0.0.0/16",
  "2001:db8::/48",
];

/** What upstream does from some moment on. */
interface Said {
  readonly kind: "record" | "nodata" | "nxdomain" | "failure" | "refused";
  readonly ttl: number;
  /** Undefined: upstream is told nothing of networks. */
  readonly scope: number | undefined;
}

type Step =
  | {
    readonly do: "ask";
    readonly name: string;
    readonly subnet: string | undefined;
    readonly dnssecOk: boolean;
  }
  | { readonly do: "pass"; readonly ms: number }
  | { readonly do: "say"; readonly said: Said };

const ask = fc.record({
  do: fc.constant("ask" as const),
  name: fc.constantFrom(...NAMES),
  subnet: fc.constantFrom(...SUBNETS),
  dnssecOk: fc.boolean(),
});
const pass = fc.record({ do: fc.constant("pass" as const), ms: fc.integer({ min: 1, max: 20_000 }) });
const say = fc.record({
  do: fc.constant("say" as const),
  said: fc.record({
    kind: fc.constantFrom(
      "record" as const,
      "record" as const,
      "nodata" as const,
      "nxdomain" as const,
      "failure" as const,
      "refused" as const,
    ),
    ttl: fc.integer({ min: 0, max: 60 }),
    scope: fc.constantFrom(undefined, 0, 16, 24, 25, 32),
  }),
});
const steps = fc.array(
  fc.oneof({ weight: 6, arbitrary: ask }, { weight: 3, arbitrary: pass }, { weight: 1, arbitrary: say }),
  {
    minLength: 20,
    maxLength: 120,
  },
);

/** What upstream said once, and to whom it may be said again. */
interface Kept {
  readonly name: string;
  readonly dnssecOk: boolean;
  /** The network that it holds for; undefined: any client. */
  readonly network: string | undefined;
  readonly atMs: number;
  readonly lifeMs: number;
  readonly answer: Answer;
}

/** Everything is a list; nothing is ever evicted. */
class Model {
  kept: Kept[] = [];

  /** The newest of the narrowest that have not expired. */
  find(context: QueryContext, name: string, nowMs: number): Kept | undefined {
    const dnssecOk = context.edns!.dnssecOk;
    const fitting = this.kept.filter((kept) =>
      kept.name === name && kept.dnssecOk === dnssecOk && nowMs < kept.atMs + kept.lifeMs &&
      (kept.network === undefined || reaches(kept.network, context))
    );
    const width = ({ network }: Kept) => network === undefined ? -1 : lengthOf(network);
    return fitting.sort((a, b) => width(b) - width(a) || b.atMs - a.atMs)[0];
  }

  keep(kept: Kept): void {
    const isSame = (other: Kept) =>
      other.name === kept.name && other.dnssecOk === kept.dnssecOk && other.network === kept.network;
    this.kept = [...this.kept.filter((other) => !isSame(other)), kept];
  }
}

/** `none`, `zero`, `NETWORK`, `=NETWORK`: whether it was kept for clients such as this. */
function reaches(network: string, { edns }: QueryContext): boolean {
  const subnet = edns!.clientSubnet;
  if (!subnet) return network === "none";
  if (subnet.sourcePrefixLength === 0) return network === "zero";
  const prefix = parsePrefix(network.replace("=", ""));
  if (!prefix) return false;
  const isInside = prefix.family === subnet.address.family && subnet.sourcePrefixLength >= prefix.length &&
    bitsOf(subnet.address.octets, prefix.length) === bitsOf(prefix.octets, prefix.length);
  return isInside && (!network.startsWith("=") || subnet.sourcePrefixLength === prefix.length);
}

function lengthOf(network: string): number {
  const length = Number(network.split("/")[1] ?? 0);
  return network.startsWith("=") ? length + 0.5 : length;
}

/** Under what network an answer is kept; undefined: for any client. */
function networkOf({ edns }: QueryContext, scope: number | undefined): string | undefined {
  const subnet = edns!.clientSubnet;
  if (scope === undefined) return undefined;
  if (!subnet) return "none";
  if (subnet.sourcePrefixLength === 0) return "zero";
  if (scope === 0) return undefined;
  const length = Math.min(scope, subnet.sourcePrefixLength);
  const text = `${textOf(zeroed(subnet.address.octets, length))}/${length}`;
  return scope > subnet.sourcePrefixLength ? `=${text}` : text;
}

function textOf(octets: readonly number[]): string {
  if (octets.length === 4) return octets.join(".");
  return Array.from({ length: 8 }, (_, i) => (octets[2 * i]! << 8 | octets[2 * i + 1]!).toString(16)).join(
    ":",
  );
}

function zeroed(octets: Uint8Array, length: number): number[] {
  return Array.from(
    octets,
    (octet, i) => octet & (0xff00 >> Math.min(8, Math.max(0, length - 8 * i))) & 0xff,
  );
}

function bitsOf(octets: Uint8Array, length: number): string {
  return Array.from(octets, (octet) => octet.toString(2).padStart(8, "0")).join("").slice(0, length);
}

/** The most that is kept. */
const TTL_MAX = 40;

/** One upstream reply, its number in its data, as forward would make it of what upstream does now. */
function reply(serial: number, name: string, { kind, ttl, scope }: Said, { edns }: QueryContext): Answer {
  const isTold = (edns!.clientSubnet?.sourcePrefixLength ?? 0) > 0;
  const more = scope === undefined || (scope === 0 && isTold) ? {} : { scope: isTold ? scope : 0 };
  const soa = `example.org. ${ttl} SOA ns.example.org. admin.example.org. ${serial} 3600 600 86400 300`;
  switch (kind) {
    case "record":
      return said([`${name}. ${ttl} A 10.0.${serial >> 8}.${serial & 255}`], more);
    case "nodata":
      return said([], { authority: [soa], ...more });
    case "nxdomain":
      return said([], { rcode: RCODE.NXDOMAIN, authority: [soa], ...more });
    case "failure":
      return said([], {
        rcode: RCODE.SERVFAIL,
        extendedErrors: [{ infoCode: 22, text: `${serial}` }],
        ...more,
      });
    case "refused":
      return said([], { rcode: RCODE.REFUSED, ...more });
  }
}

function lifeMs({ kind, ttl }: Said): number {
  if (kind === "refused") return 0;
  return 1000 * (kind === "failure" ? 5 : Math.min(ttl, TTL_MAX));
}

/** All that a client sees: TTLs as they are after `ageMs`. */
function seen({ rcode, answer, authority, extendedErrors }: Answer, ageMs: number): unknown {
  const age = Math.ceil(ageMs / 1000);
  const aged = [...answer, ...authority].map((rrset) => ({
    ...rrset,
    ttl: Math.min(rrset.ttl, TTL_MAX) - age,
  }));
  return {
    rcode,
    lines: linesOf(aged),
    errors: (extendedErrors ?? []).filter(({ infoCode }) => infoCode === 22),
  };
}

async function run(sequence: readonly Step[]): Promise<void> {
  let now: Said = { kind: "record", ttl: 30, scope: 24 }, serial = 0, last: Answer | undefined;
  const bench = new Bench(`cache ${TTL_MAX}`), model = new Model();
  for (const step of sequence) {
    if (step.do === "pass") bench.clock.advance(step.ms);
    if (step.do === "say") now = step.said;
    if (step.do !== "ask") continue;
    const nowMs = bench.clock.nowMs(), context = asking({ nowMs, ...step });
    bench.upstream = (context) => last = reply(++serial, step.name, now, context);
    const expected = model.find(context, step.name, nowMs), before = serial;
    const answer = await bench.ask(context);
    assert.equal(serial > before, expected === undefined, "whether upstream is asked");
    const kept = expected ?? { answer: last!, atMs: nowMs };
    assert.deepEqual(seen(answer, 0), seen(kept.answer, nowMs - kept.atMs));
    if (!expected && lifeMs(now) > 0) {
      const network = networkOf(context, now.scope);
      model.keep({ ...step, network, atMs: nowMs, lifeMs: lifeMs(now), answer: last! });
    }
  }
}

Deno.test("whatever is asked, said and waited for: the cache answers as a list of all that was said would", async () => {
  await fc.assert(fc.asyncProperty(steps, run), { numRuns: 1500, seed: 20261122 });
});
