import assert from "node:assert/strict";
import { encodeClientSubnet } from "../../../core/dns/edns.ts";
import { encodeMessage, makeQuery } from "../../../core/dns/message.ts";
import { decodeQuery } from "../../../core/dns/query.ts";
import { metresBetween } from "../../../core/fleet/distance.ts";
import type { Geography } from "../../../core/fleet/place.ts";
import {
  type Answer,
  type AnswerScope,
  emptyAnswer,
  fold,
  INDEPENDENT,
  type Name,
  parseAddress,
  parseName,
  type ParseScope,
  prefixOf,
  Problems,
  type QueryContext,
  type RepeatedQuery,
  type Selection,
  type Sent,
} from "../../../core/plugin.ts";
import { LineReader, LineWriter, makeLineBuffer } from "../../../core/server/lines.ts";
import { EMPTY_SNAPSHOT } from "../../../core/snapshot.ts";
import log from "../../../plugins/log/mod.ts";
import { CITIES, geography, place } from "../../core/fleet/make.ts";
import { directivesOf } from "../../support/directives.ts";
import { rrsetOf } from "./reply_fixture.ts";

const GEOGRAPHY = geography([CITIES.frankfurt, CITIES.sydney, [10, 20]], {
  "192.0.2.0/24": 1,
  "198.51.100.0/24": 2,
  "203.0.113.0/25": 3,
  "2001:db8::/33": 2,
  "2001:db8:8000::/33": "special",
});

const SELECTIONS: readonly Selection[] = [
  { pool: "entry.example.org.", nodes: [], why: 'spill to "other"' },
  {
    pool: "é.example.org.",
    nodes: ["fra1", "ams1"],
    why: "nearest",
    distanceKm: 0,
    distanceKmFrom: (from) => from && metresBetween(from, place(CITIES.london)) / 1000,
  },
];

const NOERROR = emptyAnswer(0, { authoritative: true, answer: [rrsetOf(1)] });
const CHOSEN: Answer = {
  ...NOERROR,
  selections: SELECTIONS,
  dependence: { ...INDEPENDENT, scopePrefixLength: 20 },
  extendedErrors: [{ infoCode: 3, text: "é" }],
};

/** How a query is made. */
interface Asking {
  readonly name?: string;
  readonly id?: number;
  readonly from?: string;
  readonly subnet?: string;
  readonly payloadSize?: number;
  readonly nowMs?: number;
}

function queryOf({ name = "www.example.org", id = 1, subnet, payloadSize }: Asking): Uint8Array {
  const [address, length] = subnet?.split("/") ?? [];
  const options = address === undefined ? [] : [
    encodeClientSubnet({
      address: prefixOf(parseAddress(address)!, Number(length)),
      sourcePrefixLength: Number(length),
    }),
  ];
  const edns = payloadSize === undefined ? {} : { edns: { payloadSize, options } };
  return encodeMessage(makeQuery(id, parseName(name), 1, edns));
}

const SERVER = { address: parseAddress("192.0.2.1")!, port: 53 };

function contextOf(asking: Asking): QueryContext {
  const octets = queryOf(asking), query = decodeQuery(octets);
  assert.ok(query.kind === "query");
  return {
    question: query.question,
    name: fold(query.question.name),
    zone: parseName("example.org"),
    messageId: query.id,
    recursionDesired: false,
    checkingDisabled: false,
    ...query.edns && { edns: query.edns },
    source: { address: parseAddress(asking.from ?? "192.0.2.7")!, port: 5353 },
    server: SERVER,
    transport: "udp",
    sizeOctets: octets.length,
    octets,
    nowMs: asking.nowMs ?? Date.UTC(2026, 10, 22),
    snapshot: EMPTY_SNAPSHOT,
    ecs: true,
  };
}

function repeatedOf(asking: Asking, replyOctets: number, scopePrefixLength: number): RepeatedQuery {
  const query = queryOf(asking), octets = new Uint8Array(4096).fill(0xaa), at = 1024;
  octets.set(query, at);
  const { family, octets: source } = parseAddress(asking.from ?? "192.0.2.7")!;
  const words = new Uint32Array(4).fill(0xaaaaaaaa), view = new DataView(source.slice().buffer);
  for (let i = 0; i < source.length; i += 4) words[i >> 2] = view.getUint32(i);
  const nowMs = (asking.nowMs ?? Date.UTC(2026, 10, 22)) + 0.25;
  return {
    octets,
    at,
    length: query.length,
    // Behind question, head of the OPT record and of the option.
    subnetAt: asking.subnet === undefined
      ? 0
      : at + parseName(asking.name ?? "www.example.org").length + 12 + 4 + 11 + 4,
    source: { family, words, port: 5353, server: SERVER },
    nowMs,
    replyOctets,
    scopePrefixLength,
  };
}

/** A `log` with room for octets: what it writes for the replies of `then`, after the one that was remembered. */
function run(
  text: string,
  answer: Answer,
  first: Asking,
  then: readonly Asking[],
  { takesText = true, world = GEOGRAPHY as Geography | undefined } = {},
) {
  const buffer = makeLineBuffer(), reader = new LineReader(buffer, () => {});
  const told: string[] = [];
  const scope = {
    geography: () => world,
    random: () => 0.5,
    writeLine: (line: string) => void told.push(line),
    lines: new LineWriter(buffer, takesText),
  } as unknown as AnswerScope;
  const rules = log.parse(directivesOf(text), { problems: new Problems() } as ParseScope);
  const plugin = log.answerer(rules, scope);
  const sent: Sent = { octets: 100, flags: 0x8500, plugin: "file", durationMs: 0.25 };
  const repeater = plugin.repeater(contextOf(first), answer, sent);
  then.forEach((asking, i) => repeater?.(repeatedOf(asking, 100 + i, answer.dependence.scopePrefixLength)));
  then.forEach((asking, i) =>
    plugin.observe(contextOf(asking), answer, { ...sent, octets: 100 + i, durationMs: 0 })
  );
  const into = new Uint8Array(1 << 20);
  const written = new TextDecoder().decode(into.subarray(0, reader.drain(into)));
  reader.close();
  return { repeater, written, observed: told.map((line) => `${line}\n`).join("") };
}

const FORMATS = [
  "log",
  "log json",
  "log . {common}",
  "log . {combined}",
  "log . {meridian}",
  'log . "→ {distance} {location}{location} {name}{name} {ttl} {/log/type} {local} {zone} {plugin} {weight}"',
  "log {\nsample 100%\n}",
];

/** Queries of one form, so that they can have one reply. */
const FORMS: Readonly<Record<string, readonly Asking[]>> = {
  "without EDNS": [{}, { from: "198.51.100.9", id: 65535 }, {
    from: "203.0.113.200",
    name: "WWW.Example.ORG",
  }],
  "over IPv6": [{ from: "2001:db8::1" }, { from: "2001:db8:8000::" }, { from: "::", id: 0 }, {
    from: "2001:db8:0:1:0:0:0:1",
  }],
  "with EDNS": [{ payloadSize: 1232 }, { payloadSize: 0 }, {
    payloadSize: 65535,
    nowMs: Date.UTC(1999, 11, 31, 23, 59, 59, 999),
  }],
  "with ECS": [
    { payloadSize: 1232, subnet: "198.51.100.0/24" },
    { payloadSize: 1232, subnet: "192.0.2.0/24" },
    { payloadSize: 1232, subnet: "203.0.113.128/25" },
    { payloadSize: 1232, subnet: "203.0.112.0/23" },
  ],
  "with ECS of IPv6": [
    { payloadSize: 512, subnet: "2001:db8::/56" },
    { payloadSize: 512, subnet: "2001:db8:9000::/36", from: "2001:db8::9" },
  ],
  "that opt out of ECS": [{ payloadSize: 512, subnet: "0.0.0.0/0" }, {
    payloadSize: 512,
    subnet: "0.0.0.0/0",
    from: "198.51.100.1",
  }],
  "for other names": [
    { name: 'a\\"b.x\\000y.example.org' },
    { name: "." },
    { name: `${"\\255".repeat(63)}.${"\\\\".repeat(63)}.example.org` },
  ],
};

for (const format of FORMATS) {
  for (const [form, askings] of Object.entries(FORMS)) {
    Deno.test(`${JSON.stringify(format)} writes the lines of repeated replies as of others: queries ${form}`, () => {
      for (const answer of [NOERROR, CHOSEN, { ...CHOSEN, ecs: false as const }]) {
        for (const world of [GEOGRAPHY, undefined]) {
          const { written, observed } = run(format, answer, askings[0]!, askings, { world });
          assert.equal(written, observed);
          assert.equal(written.match(/\n/g)?.length, askings.length);
        }
      }
    });
  }
}

Deno.test("a format with what is known of one client alone hears of each reply", () => {
  assert.equal(run("log . {/geoip/country/code}", NOERROR, {}, []).repeater, undefined);
});

Deno.test("where the log is JSON, lines of text are not written as they stand", () => {
  assert.equal(run("log", NOERROR, {}, [], { takesText: false }).repeater, undefined);
  const { written, observed } = run("log json", NOERROR, {}, [{}], { takesText: false });
  assert.equal(written, observed);
});

Deno.test("repeated replies of classes and names that are not wanted have no line", () => {
  for (const text of ["log {\nclass error\n}", "log example.net"]) {
    const { repeater, written } = run(text, NOERROR, {}, [{}]);
    assert.ok(repeater);
    assert.equal(written, "");
  }
});

Deno.test("a reply for every name below one has one line only where the rules see no difference", () => {
  const decidedAt = (name: Name): Answer => ({
    ...NOERROR,
    dependence: { ...INDEPENDENT, decidedAt: { name } },
  });
  const repeats = (text: string, at: string) =>
    run(text, decidedAt(parseName(at)), {}, []).repeater !== undefined;
  assert.equal(repeats("log", "example.org"), true);
  assert.equal(repeats("log example.org", "example.org"), true);
  assert.equal(repeats("log example.net", "example.org"), true);
  assert.equal(repeats("log sub.example.org", "example.org"), false);
  assert.equal(repeats("log sub.example.org\nlog", "a.sub.example.org"), true);
});

Deno.test("a sample counts repeated replies and others together", () => {
  const { written, observed } = run(
    "log . {>id} {\nsample 50%\n}",
    NOERROR,
    {},
    [0, 1, 2, 3, 4, 5].map((id) => ({ id })),
  );
  // With draws of 0.5 every second one.
  assert.equal(written, "[INFO] 1 weight=2\n[INFO] 3 weight=2\n[INFO] 5 weight=2\n");
  assert.equal(observed, written);
});
