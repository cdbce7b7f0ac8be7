import { byTarget, withTargets } from "../../../../core/fleet/by_target.ts";
import assert from "node:assert/strict";
import type { Partition } from "../../../../core/fleet/partition.ts";
import { collectGarbage } from "../../../../core/server/after_start.ts";
import {
  type Answer,
  type Dependence,
  type EdnsOption,
  emptyAnswer,
  INDEPENDENT,
  type RRset,
} from "../../../../core/answer.ts";
import { rowOf } from "../../../../core/fleet/client_table.ts";
import { compose, type Plugin } from "../../../../core/chain.ts";
import { ManualClock } from "../../../../core/clock.ts";
import { encodeClientSubnet } from "../../../../core/dns/edns.ts";
import { decodeMessage, encodeMessage, makeQuery } from "../../../../core/dns/message.ts";
import { parseName } from "../../../../core/dns/name.ts";
import { NameSet } from "../../../../core/dns/name_set.ts";
import { OPTION, RCODE, TYPE } from "../../../../core/dns/types.ts";
import { parseAddress, parsePrefix } from "../../../../core/net/address.ts";
import { DEEP_ROW } from "../../../../core/net/network_rows.ts";
import { tableBuilder, uniformTable } from "../../../../core/net/table_builder.ts";
import type { ChainedBlock } from "../../../../core/server/chained_block.ts";
import { makeExamine, type Outcome } from "../../../../core/server/exchange.ts";
import { LATER, SILENT, SLOT_OCTETS } from "../../../../core/server/in_place.ts";
import { Memo } from "../../../../core/server/memo/memo.ts";
import { clientAddress, type CookieState, type RepeatedQuery } from "../../../../core/query.ts";
import { EMPTY_SNAPSHOT, type Snapshot } from "../../../../core/snapshot.ts";
import { changesBetween } from "../../../../core/server/snapshot_changes.ts";
import { packetSource } from "../../../support/memo/rig.ts";
import { factsOf } from "../../../support/scopes.ts";

const SERVER = { address: parseAddress("192.0.2.53")!, port: 53 };
const ZONE = parseName("example.org."), CHILD = parseName("child.example.org.");

interface Asking {
  readonly name?: string;
  readonly type?: number;
  readonly subnet?: string;
  readonly options?: readonly EdnsOption[];
  readonly edns?: { payloadSize?: number; dnssecOk?: boolean };
  readonly source?: string;
  readonly id?: number;
  readonly atMs?: number;
}

const SLOTS = 64;

/** A memo before one plugin, and how often that was asked. */
class Bench {
  readonly clock = new ManualClock();
  readonly later: (Outcome | Promise<Outcome>)[] = [];
  readonly faults: string[] = [];
  readonly memo: Memo;
  asked = 0;

  constructor(plugin: Partial<Plugin>, repeats: "question" | "absence" = "absence", memoOctets = 1 << 16) {
    const whole: Plugin = { name: "probe", answer: () => ANSWER, ...plugin };
    const chain = compose([{ ...whole, answer: (...query) => (this.asked++, whole.answer(...query)) }]);
    const has = (part: keyof Plugin) => whole[part] ? [whole] : [];
    const block: ChainedBlock = {
      reached: { plugin: "" },
      facts: { ...factsOf({ plugins: ["probe"] }), key: "1", zones: [ZONE, CHILD] },
      chain,
      otherClassChain: chain,
      observers: has("observe"),
      talliers: has("tallies"),
      gated: has("gate"),
      filters: [],
      labels: new Map(),
      repeats,
      readsOptions: whole.readsOptions ?? false,
      ...whole.cookies && { cookies: whole },
    };
    const examine = makeExamine({
      clock: this.clock,
      log: { debug() {}, info() {}, warn() {}, error: (message) => void this.faults.push(message) },
      route: () => ({ block, zone: ZONE }),
      snapshot: () => EMPTY_SNAPSHOT,
      count: () => {},
      series: () => ({ record: () => {} }),
    });
    this.memo = new Memo({
      answering: { examine, blocks: [block] },
      slots: SLOTS,
      memoOctets,
      later: (_octets, _arrival, outcome) => void this.later.push(outcome),
    });
  }

  /** The reply; a number where there is none at once. */
  ask(asking: Asking = {}) {
    const { length, from, atMs } = this.#put(asking, 0);
    return this.#replyOf(this.memo.answer(0, length, from, atMs), 0);
  }

  /** The replies to packets that came together: all are read before the first is answered. */
  askTogether(askings: readonly Asking[], meanwhile = () => {}) {
    const packets = askings.map((asking, slot) => this.#put(asking, slot));
    for (const { at, length, from } of packets) this.memo.read(at, length, from);
    meanwhile();
    return packets.map(({ at, length, from, atMs }) =>
      this.#replyOf(this.memo.answer(at, length, from, atMs), at)
    );
  }

  #replyOf(length: number, at: number) {
    return length > 0 ? this.memo.octets.slice(at, at + length) : length;
  }

  #put(
    {
      name = "www.example.org.",
      type = TYPE.A,
      subnet,
      options: others = [],
      edns,
      source = "192.0.2.1",
      id = 1,
      atMs,
    }: Asking,
    slot: number,
  ) {
    const options = [...others, ...subnet ? [encodeClientSubnet(subnetOf(subnet))] : []];
    const message = makeQuery(
      id,
      parseName(name),
      type,
      edns || options.length > 0 ? { edns: { ...edns, options } } : {},
    );
    const octets = encodeMessage(message), at = slot * SLOT_OCTETS;
    this.memo.octets.set(octets, at);
    const from = packetSource({ address: parseAddress(source)!, port: 5353 }, SERVER);
    return { at, length: octets.length, from, atMs: atMs ?? this.clock.nowMs() };
  }

  /** Asks so, and says whether the chain was asked. */
  isMiss(asking: Asking = {}): boolean {
    const { asked } = this;
    this.ask(asking);
    return this.asked > asked;
  }
}

function subnetOf(text: string) {
  const { family, octets, length } = parsePrefix(text)!;
  return { address: { family, octets }, sourcePrefixLength: length };
}

const ADDRESS: RRset = {
  name: parseName("www.example.org."),
  type: TYPE.A,
  ttl: 300,
  rdata: [Uint8Array.of(192, 0, 2, 7)],
};
const ANSWER = emptyAnswer(RCODE.NOERROR, { authoritative: true, answer: [ADDRESS] });

function dependingOn(dependence: Partial<Dependence>, more: Partial<Answer> = {}): Answer {
  return { ...ANSWER, ...more, dependence: { ...INDEPENDENT, ...dependence } };
}

Deno.test("what depends on nothing is asked for once, whoever asks, and bears each one's ID and case", () => {
  const bench = new Bench({});
  const first = bench.ask({ id: 7 }),
    second = bench.ask({ id: 8, name: "wWw.example.ORG.", source: "198.51.100.1" });
  assert.equal(bench.asked, 1);
  const [a, b] = [first, second].map((octets) => decodeMessage(octets as Uint8Array));
  assert.deepEqual([a!.id, b!.id], [7, 8]);
  assert.equal(b!.questions[0]!.name, parseName("wWw.example.ORG."));
  assert.deepEqual(b!.answer.map(({ rdata }) => rdata), a!.answer.map(({ rdata }) => rdata));
});

Deno.test("type, DO, EDNS, and how the client's subnet is written, each have replies of their own", () => {
  const bench = new Bench({});
  const forms: Asking[] = [
    {},
    { type: TYPE.AAAA },
    { edns: {} },
    { edns: { dnssecOk: true } },
    { subnet: "198.51.100.0/24" },
    { subnet: "198.51.100.0/25" },
    { subnet: "2001:d00::/24" },
    { subnet: "0.0.0.0/0" },
    { source: "2001:db8::1" },
  ];
  assert.deepEqual(forms.map((form) => bench.isMiss(form)), forms.map(() => true));
  assert.deepEqual(forms.map((form) => bench.isMiss(form)), forms.map(() => false));
});

const option = (code: number, octets: number, fill = 0): EdnsOption => ({
  code,
  data: new Uint8Array(octets).fill(fill),
});

Deno.test("options that nobody reads make replies of their own by how many octets they have", () => {
  const bench = new Bench({});
  const forms: (readonly EdnsOption[])[] = [
    [],
    [option(12, 8)],
    [option(12, 9)],
    [option(OPTION.NSID, 8)],
    [option(OPTION.COOKIE, 8)],
    [option(OPTION.COOKIE, 16), option(12, 0)],
  ];
  assert.deepEqual(forms.map((options) => bench.isMiss({ options })), forms.map(() => true));
  const others: (readonly EdnsOption[])[] = [
    ...forms,
    [option(12, 8, 7)],
    [option(65001, 8)],
    [option(65001, 1), option(9, 3)],
    [option(OPTION.COOKIE, 8, 9)],
    [option(9, 0), option(OPTION.COOKIE, 16)],
  ];
  assert.deepEqual(others.map((options) => bench.isMiss({ options, id: 9 })), others.map(() => false));
  const subnet = "198.51.100.0/24", other = "203.0.113.0/24", options = [option(OPTION.COOKIE, 8)];
  assert.deepEqual([subnet, other].map((subnet) => bench.isMiss({ options, subnet })), [true, false]);
  const octets = bench.ask({ options, subnet: other }) as Uint8Array;
  const told = decodeMessage(octets).edns!.options[0]!.data;
  assert.deepEqual([...told], [0, 1, 24, 0, 203, 0, 113]);
});

Deno.test("where a plugin reads options, and where they are not sound, the chain is asked", () => {
  const reading = new Bench({ readsOptions: true });
  const misses = () =>
    [[], [option(12, 0)], [option(OPTION.NSID, 0)]].map((options) => reading.isMiss({ options }));
  misses();
  assert.deepEqual([
    reading.isMiss({ subnet: "198.51.100.0/24" }),
    reading.isMiss({ subnet: "198.51.100.0/24" }),
  ], [
    true,
    false,
  ]);
  assert.deepEqual(misses(), [false, true, true]);
  const bench = new Bench({});
  for (const length of [0, 7, 9, 15, 41]) {
    const options = [option(OPTION.COOKIE, length)];
    assert.deepEqual(
      [bench.isMiss({ options }), bench.isMiss({ options })],
      [true, true],
      `${length} octets`,
    );
  }
});

Deno.test("a cookie is judged before the gates are asked, and written anew into each reply", () => {
  const judged: string[] = [], gated: string[] = [];
  let state: CookieState | undefined = "valid", written = 0;
  const cookie = (octets: Uint8Array) => [{ code: OPTION.COOKIE, data: octets }];
  const bench = new Bench({
    answer: () => dependingOn({ keys: ["cookie"] }, { options: cookie(new Uint8Array(24)) }),
    cookies: () => ({
      judge(octets, at, count, { octets: source }, nowMs) {
        judged.push(
          `${octets.slice(at, at + count).toHex()} ${source.join(".")} ${nowMs === bench.clock.nowMs()}`,
        );
        return state;
      },
      write: (octets, at) => void octets.fill(++written, at, at + 24),
    }),
    gate: () => (_source, _nowMs, cookie) => (gated.push(cookie), cookie !== "invalid"),
  });
  const asking = (fill: number): Asking => ({
    options: cookie(new Uint8Array(8).fill(fill)),
    source: "192.0.2.7",
  });
  assert.equal(bench.isMiss(asking(1)), true);
  const reply = decodeMessage(bench.ask(asking(2)) as Uint8Array);
  assert.deepEqual([...reply.edns!.options[0]!.data], Array(24).fill(1));
  assert.deepEqual([judged, gated], [["0202020202020202 192.0.2.7 true"], ["valid"]]);
  state = "invalid";
  assert.equal(bench.isMiss(asking(3)), true, "the gate refuses");
  state = undefined;
  assert.equal(bench.isMiss(asking(4)), true, "nobody can say");
  assert.deepEqual([gated, written], [["valid", "invalid"], 1]);
  const without = new Bench({
    answer: () => dependingOn({ keys: ["cookie"] }, { options: cookie(new Uint8Array(24)) }),
  });
  assert.deepEqual([without.isMiss(asking(1)), without.isMiss(asking(1))], [true, true], "nobody writes it");
});

Deno.test("a scope is told to all below it, and to nobody else", () => {
  const bench = new Bench({ answer: () => dependingOn({ scopePrefixLength: 16, keys: ["tailored"] }) });
  assert.equal(bench.isMiss({ subnet: "198.51.100.0/24" }), true);
  assert.equal(bench.isMiss({ subnet: "198.51.7.0/24" }), false);
  assert.equal(bench.isMiss({ subnet: "198.52.7.0/24" }), true);
  assert.equal(bench.isMiss({ source: "198.51.1.1" }), true);
  assert.equal(bench.isMiss({ source: "198.51.2.2" }), false);
});

Deno.test("clients of one row get one reply; those of the deep row are told apart by their prefix", () => {
  // One row below 64.0.0.0 and another above; of IPv6, all in the deep row.
  const v4 = tableBuilder(4);
  for (const [length, row] of [[2, 3], [2, 4], [1, 4]] as const) v4.append(length, row);
  const clients = { 4: v4.finish(), 6: uniformTable(6, DEEP_ROW) };
  const bench = new Bench({
    answer: () => dependingOn({ scopePrefixLength: 24, keys: ["tailored"], clients }),
  });
  assert.equal(bench.isMiss({ source: "10.0.0.1" }), true);
  assert.equal(bench.isMiss({ source: "20.0.0.1" }), false);
  assert.equal(bench.isMiss({ source: "70.0.0.1" }), true);
  assert.equal(bench.isMiss({ source: "200.0.0.1" }), false);
  assert.equal(bench.isMiss({ source: "2001:db8::1" }), true);
  assert.equal(bench.isMiss({ source: "2001:d00::1" }), false);
  assert.equal(bench.isMiss({ source: "2002::1" }), true);
});

Deno.test("what depends on the source, or on the message ID, is repeated for the same alone; on the port, never", () => {
  const bySource = new Bench({ answer: () => dependingOn({ keys: ["source"] }) });
  assert.deepEqual(["192.0.2.1", "192.0.2.2", "192.0.2.1"].map((source) => bySource.isMiss({ source })), [
    true,
    true,
    false,
  ]);
  const byId = new Bench({ answer: () => dependingOn({ rotation: 3 }) });
  assert.deepEqual([0, 1, 2, 3, 4, 7].map((id) => byId.isMiss({ id })), [
    true,
    true,
    true,
    false,
    false,
    false,
  ]);
  const byPort = new Bench({ answer: () => dependingOn({ keys: ["port"] }) });
  assert.deepEqual([0, 1].map(() => byPort.isMiss()), [true, true]);
});

Deno.test("it is repeated until it would be another, and not before it was said", () => {
  const bench = new Bench({ answer: ({ nowMs }) => dependingOn({ untilMs: nowMs + 1000 }) });
  const startMs = bench.clock.nowMs();
  assert.equal(bench.isMiss(), true);
  bench.clock.advanceTo(startMs + 999);
  assert.equal(bench.isMiss(), false);
  bench.clock.advanceTo(startMs + 1000);
  assert.equal(bench.isMiss(), true);
  assert.equal(bench.isMiss({ atMs: startMs + 500 }), true);
});

Deno.test("TTLs of what ages are counted down by whole seconds since it was heard", () => {
  const startMs = new ManualClock().nowMs(), aging = { untilMs: startMs + 60_000, sinceMs: startMs - 1500 };
  const bench = new Bench({ answer: () => dependingOn({}, { momentary: true, aging }) });
  const ttlAt = (ms: number) => {
    bench.clock.advanceTo(startMs + ms);
    return decodeMessage(bench.ask({ edns: {} }) as Uint8Array).answer[0]!.ttl;
  };
  assert.deepEqual([0, 499, 500, 1499, 1500, 59_999].map(ttlAt), [300, 300, 299, 299, 298, 240]);
  assert.equal(bench.asked, 1);
  assert.equal((bench.clock.advanceTo(startMs + 60_000), bench.isMiss()), true);
});

Deno.test("what ages does so from when the chain was asked, which may be a second later than its packets came", () => {
  const startMs = new ManualClock().nowMs(), aging = { untilMs: startMs + 60_000, sinceMs: startMs - 1500 };
  const bench = new Bench({ answer: () => dependingOn({}, { momentary: true, aging }) });
  const ttlOf = (atMs: number) =>
    decodeMessage(bench.ask({ edns: {}, atMs: startMs + atMs }) as Uint8Array).answer[0]!.ttl;
  bench.clock.advanceTo(startMs + 500);
  assert.deepEqual([499, 500, 1499, 1500].map(ttlOf), [300, 300, 300, 299]);
  assert.equal(bench.asked, 1);
});

Deno.test("what is silent, momentary, a fault, deferred, or waits is not remembered", () => {
  const answers: readonly Partial<Answer>[] = [
    { silent: true },
    { momentary: true },
    { fault: { plugin: "probe", message: "out of order" } },
    { deferred: true },
  ];
  for (const more of answers) {
    const bench = new Bench({ answer: () => dependingOn({}, more) });
    assert.deepEqual([bench.isMiss(), bench.isMiss()], [true, true], JSON.stringify(more));
  }
  const waiting = new Bench({ answer: () => Promise.resolve(ANSWER) });
  assert.equal(waiting.ask(), LATER);
  assert.ok(waiting.later[0] instanceof Promise);
  assert.equal(new Bench({ answer: () => dependingOn({}, { silent: true }) }).ask(), SILENT);
});

Deno.test("a throw in the chain is answered, and not remembered", () => {
  const bench = new Bench({
    answer() {
      throw new Error("out of order");
    },
  });
  assert.equal(decodeMessage(bench.ask() as Uint8Array).rcode, RCODE.SERVFAIL);
  assert.equal(bench.isMiss(), true);
});

Deno.test("a reply longer than a slot goes the other way", () => {
  const rdata = Array.from({ length: 40 }, (_, i) => new Uint8Array(200).fill(i));
  const answer = dependingOn({}, { payloadSize: 65535, answer: [{ ...ADDRESS, type: 65400, rdata }] });
  const bench = new Bench({ answer: () => answer });
  assert.equal(bench.ask({ edns: { payloadSize: 65535 } }), LATER);
  assert.ok((bench.later[0] as Outcome).octets!.length > 4096);
});

Deno.test("a reply is repeated to whoever has room for it; one that lacks something, for the same room alone", () => {
  const rdata = Array.from({ length: 40 }, (_, i) => Uint8Array.of(192, 0, 2, i));
  const bench = new Bench({ answer: () => dependingOn({}, { answer: [{ ...ADDRESS, rdata }] }) });
  const sizes = [1232, 4096, 800, 600, 600, 512, 0, 1232].map((payloadSize) => ({ edns: { payloadSize } }));
  assert.deepEqual(sizes.map((asking) => bench.isMiss(asking)), [
    true,
    false,
    false,
    true,
    false,
    true,
    true,
    false,
  ]);
  const truncated = decodeMessage(bench.ask({ edns: { payloadSize: 600 } }) as Uint8Array);
  assert.equal(truncated.truncated, true);
});

const SOA: RRset = {
  name: ZONE,
  type: TYPE.SOA,
  ttl: 60,
  rdata: [
    Uint8Array.from([
      ...octets("ns1.example.org."),
      ...octets("hostmaster.example.org."),
      ...Array(20).fill(1),
    ]),
  ],
};

function octets(name: string): number[] {
  return Array.from(parseName(name), (character) => character.charCodeAt(0));
}

/** A zone in which there are www and ns1. */
function absence(): Plugin["answer"] {
  const names = ["www.example.org.", "ns1.example.org."].map((name) => parseName(name));
  const decidedAt = { name: ZONE, existing: new NameSet(names, names.length) };
  return ({ name }) =>
    names.includes(name)
      ? ANSWER
      : { ...emptyAnswer(RCODE.NXDOMAIN, { authority: [SOA] }), dependence: { ...INDEPENDENT, decidedAt } };
}

Deno.test("names that are not there have one reply for each length, but for those that the reply has itself", () => {
  const bench = new Bench({ answer: absence() });
  const names = ["abc", "xyz", "abcd", "a.b", "tenletters", "hostmaster", "hostmaster", "HostMaster"];
  const misses = names.map((name) => bench.isMiss({ name: `${name}.example.org.` }));
  // hostmaster is compressed into the question where that is the name asked for.
  assert.deepEqual(misses, [true, false, true, false, true, true, false, false]);
  assert.equal(bench.isMiss({ name: "www.example.org." }), true, "a name that is there");
  const reply = decodeMessage(bench.ask({ name: "xyz.example.org." }) as Uint8Array);
  assert.equal(reply.rcode, RCODE.NXDOMAIN);
});

Deno.test("which names a reply has itself is worked out anew where it has another record", () => {
  const other = {
    ...SOA,
    rdata: [Uint8Array.from([...octets("other.example.org."), 0, ...Array(20).fill(1)])],
  };
  const absent = absence();
  const bench = new Bench({
    answer: (context, next) => {
      const answer = absent(context, next) as Answer;
      return context.question.type === TYPE.TXT ? { ...answer, authority: [other] } : answer;
    },
  });
  const asked = (type: number) =>
    ["abcde", "other"].map((name) => bench.isMiss({ name: `${name}.example.org.`, type }));
  assert.deepEqual([asked(TYPE.A), asked(TYPE.TXT)], [[true, false], [true, true]]);
});

Deno.test("what is not there in one zone says nothing of names in a zone below it", () => {
  const bench = new Bench({ answer: absence() });
  const misses = ["abcdefg", "hijklmn", "a.child", "child", "b.child"].map((name) =>
    bench.isMiss({ name: `${name}.example.org.` })
  );
  assert.deepEqual(misses, [true, false, true, true, true]);
});

Deno.test("a referral is repeated below its cut, but for the hosts that it names", () => {
  const cut = parseName("cut.example.org."), host = parseName("ns1.cut.example.org.");
  const ns: RRset = {
    name: cut,
    type: TYPE.NS,
    ttl: 60,
    rdata: [Uint8Array.from(octets("ns1.cut.example.org."))],
  };
  const answer = dependingOn({ decidedAt: { name: cut } }, {
    authoritative: false,
    answer: [],
    authority: [ns],
    additional: [{ ...ADDRESS, name: host }],
  });
  const bench = new Bench({ answer: () => answer });
  const misses = ["ns1", "abc", "xyz", "ns1", "a.b", "NS1"].map((name) =>
    bench.isMiss({ name: `${name}.cut.example.org.` })
  );
  assert.deepEqual(misses, [true, true, false, false, false, false]);
});

Deno.test("below one name that is not there is another, where a plugin looks at names", () => {
  const bench = new Bench({ answer: absence() }, "question");
  const misses = ["abc", "xyz", "abc"].map((name) => bench.isMiss({ name: `${name}.example.org.` }));
  assert.deepEqual(misses, [true, true, false]);
});

Deno.test("a gate is asked for each repetition, with its source; one that refuses sends it to the chain", () => {
  const heard: string[] = [];
  const bench = new Bench({
    gate: () => ({ octets }) => heard.push([...octets].join(".")) < 3,
  });
  const misses = ["1", "2", "3", "4"].map((host) => bench.isMiss({ source: `192.0.2.${host}` }));
  assert.deepEqual(misses, [true, false, false, true]);
  assert.deepEqual(heard, ["192.0.2.2", "192.0.2.3", "192.0.2.4"]);
});

Deno.test("what is counted of replies comes out exact, whatever is forgotten meanwhile", () => {
  const counts = new Map<string, number>();
  const series = new Map<string, { record(value: number, times?: number): void }>();
  const seriesOf = (key: string) => {
    let one = series.get(key);
    const record = (value: number, times = 1) => void counts.set(key, (counts.get(key) ?? 0) + value * times);
    if (!one) series.set(key, one = { record });
    return one;
  };
  const bench = new Bench(
    {
      answer: () => ANSWER,
      tallies: ({ name }, _answer, { octets }) => [
        { series: seriesOf(name), value: 1 },
        { series: seriesOf("octets"), value: octets },
      ],
    },
    "question",
    1 << 12,
  );
  let replied = 0;
  for (let i = 0; i < 500; i++) {
    replied += (bench.ask({ name: `h${i * 7 % 60 >> i % 4}.example.org.` }) as Uint8Array).length;
    if (i === 250) bench.memo.drop();
  }
  assert.ok(bench.asked < 500 && bench.asked > 60, `asked ${bench.asked} times`);
  bench.memo.harvest();
  bench.memo.harvest();
  assert.equal(counts.get("octets"), replied);
  counts.delete("octets");
  assert.equal([...counts.values()].reduce((a, b) => a + b), 500);
});

Deno.test("a plugin that throws when a reply is remembered or repeated takes nobody's reply, and is told of", () => {
  const broken = () => {
    throw new Error("out of order");
  };
  const heard = { observe: () => {} };
  const parts: Partial<Plugin>[] = [
    { gate: broken },
    { gate: () => broken },
    { ...heard, repeater: broken },
    { ...heard, repeater: () => broken },
    { observe: broken },
    { tallies: broken },
  ];
  for (const part of parts) {
    const bench = new Bench(part);
    const replies = [1, 2, 3].map((id) => bench.ask({ id }) as Uint8Array);
    assert.deepEqual(replies.map((reply) => decodeMessage(reply).id), [1, 2, 3]);
    assert.match(bench.faults[0]!, /^plugin\/probe: a bug, .*out of order/);
  }
});

Deno.test("a plugin that observes hears of each repetition: by its repeater, else with a whole context", () => {
  const heard: string[] = [];
  const observe: Plugin["observe"] = ({ messageId, source, edns }, _answer, { octets, message }) => {
    const id = message![0]! << 8 | message![1]!;
    heard.push(
      `${messageId} ${id} ${
        source.address.octets.at(-1)
      } ${octets} ${edns?.clientSubnet?.sourcePrefixLength}`,
    );
  };
  const plain = new Bench({ observe });
  const asking = (id: number) => ({ id, source: `192.0.2.${id}`, subnet: `198.51.100.${id % 2}/32` });
  const length = (plain.ask(asking(1)) as Uint8Array).length;
  plain.ask(asking(2));
  assert.deepEqual(heard, [`1 1 1 ${length} 32`, `2 2 2 ${length} 32`]);
  heard.length = 0;
  const quick = new Bench({
    observe,
    repeater: () => ({ octets, at, length, source, replyOctets, nowMs }) => {
      heard.push(
        `${octets[at + 1]} ${length} ${source.words[0]! & 255} ${replyOctets} ${
          nowMs === quick.clock.nowMs()
        }`,
      );
    },
  });
  quick.ask(asking(1));
  quick.ask(asking(2));
  assert.deepEqual(heard.slice(1), [`2 ${length - 16} 2 ${length} true`]);
});

Deno.test("a repeater of many replies is told of each, and of how far that one holds", () => {
  const heard: string[] = [], expected: string[] = [];
  const repeaters = ["a", "b", "c"].map((by) => ({ octets, at, scopePrefixLength }: RepeatedQuery) => {
    heard.push(`${by} ${octets[at + 1]} /${scopePrefixLength}`);
  });
  const answer: Plugin["answer"] = ({ edns }) =>
    dependingOn({ scopePrefixLength: edns?.clientSubnet?.sourcePrefixLength ?? 0 });
  const repeater: Plugin["repeater"] = ({ name }) => repeaters[name.length % 3]!;
  const bench = new Bench({ answer, observe() {}, repeater }, "question", 1 << 11);
  const subnets = ["10.0.0.0/8", "198.51.100.0/24", "203.0.113.7/32", "2001:db8::/128"];
  for (let id = 1; id < 2000; id++) {
    const subnet = subnets[id * 7 % 4]!, { hits } = bench.memo;
    // Most of them make room again before they are asked for once more: what they had is given to others.
    const name = `${"x".repeat(1 + (id >> 3) * 5 % (id % 3 === 0 ? 17 : 2))}.example.org.`;
    bench.ask({ id: id & 127, name, subnet });
    const by = "abc"[parseName(name).length % 3];
    if (bench.memo.hits > hits) expected.push(`${by} ${id & 127} /${subnet.split("/")[1]}`);
  }
  assert.ok(expected.length > 200 && expected.length < 1900, `${expected.length} repeated`);
  assert.deepEqual(heard, expected);
});

Deno.test("a repeater that skips is told of a query when none are left, and of each where more is to be done", () => {
  for (const [part, told] of [[{}, [3, 4, 7]], [{ gate: () => () => true }, [2, 3, 4, 5, 6, 7]]] as const) {
    const heard: number[] = [], skips = { left: 1 };
    const hear = ({ octets, at }: RepeatedQuery) => {
      heard.push(octets[at + 1]!);
      if (told.length === 3) skips.left = [0, 2, 9][heard.length - 1]!;
    };
    const bench = new Bench({ observe() {}, repeater: () => Object.assign(hear, { skips }), ...part });
    for (let id = 1; id <= 7; id++) {
      assert.equal(decodeMessage(bench.ask({ id, subnet: "198.51.100.0/24" }) as Uint8Array).id, id);
    }
    assert.equal(bench.memo.hits, 6);
    assert.deepEqual(heard, told);
  }
});

Deno.test("a repeater whose skips make no sense is told of each query", () => {
  for (const left of [-1, NaN]) {
    const skips = { left };
    let heard = 0;
    const bench = new Bench({ observe() {}, repeater: () => Object.assign(() => void heard++, { skips }) });
    for (let id = 1; id <= 4; id++) bench.ask({ id });
    assert.equal(heard, 3);
  }
});

Deno.test("memory is bounded: the oldest gives way, and what is there stays right", () => {
  const bench = new Bench(
    {
      answer: ({ name }) => ({
        ...ANSWER,
        answer: [{ ...ADDRESS, name, rdata: [Uint8Array.of(0, 0, 0, name.charCodeAt(2))] }],
      }),
    },
    "question",
    1 << 13,
  );
  for (let round = 10; round < 4000; round++) {
    const i = round % 2 === 0 ? round : round - 5, letter = String.fromCharCode(97 + i * 31 % 26);
    const name = `x${letter.repeat(1 + i * 17 % 50)}.example.org.`;
    const { answer } = decodeMessage(bench.ask({ name }) as Uint8Array);
    assert.deepEqual([...answer[0]!.rdata], [0, 0, 0, letter.charCodeAt(0)]);
  }
  assert.ok(bench.memo.size < 100, `${bench.memo.size} replies in 8 KiB`);
  assert.ok(bench.memo.hits > 50, `${bench.memo.hits} repeated`);
});

/** A snapshot with something in it. */
function snapshotWith(change: Partial<Snapshot>): Snapshot {
  return { ...EMPTY_SNAPSHOT, ...change };
}

Deno.test("a change takes away what may depend on it, and nothing else", () => {
  const deadline = { downMs: 10, upMs: Infinity, changeMs: 10, rampMs: Infinity, steady: true };
  const pool = { targets: { "192.0.2.7": ["tcp 1"] } };
  const before = snapshotWith({
    pools: { a: pool, b: { targets: {} } } as unknown as Snapshot["pools"],
    deadlines: byTarget({ "tcp 1": deadline }),
  });
  const changes: Record<string, Partial<Snapshot>> = {
    "another block's slot": { slots: { "2/file": {} } },
    "the block's slot": { slots: { "1/file": {} } },
    "the block's geography": { geographies: { 1: {} as never } },
    "another pool": { pools: { ...before.pools, b: {} as never } },
    "the pool": { pools: { ...before.pools, a: {} as never } },
    "a deadline farther off": { deadlines: byTarget({ "tcp 1": { ...deadline, downMs: 20 } }) },
    "a deadline nearer": { deadlines: byTarget({ "tcp 1": { ...deadline, downMs: 5 } }) },
    "a deadline that stirs": { deadlines: byTarget({ "tcp 1": { ...deadline, steady: false } }) },
    "another target's deadline": { deadlines: withTargets(before.deadlines, { "tcp 2": deadline }) },
    "an override": { overrides: [{} as never] },
  };
  const dropped = (dependence: Partial<Dependence>) =>
    Object.entries(changes).filter(([_, change]) => {
      const bench = new Bench({ answer: () => dependingOn(dependence, { answer: [] }) });
      bench.ask();
      bench.memo.dropFor(changesBetween(before, { ...before, ...change }), before);
      return bench.isMiss();
    }).map(([name]) => name);
  const common = ["the block's slot", "the block's geography"];
  const news = ["a deadline nearer", "a deadline that stirs"];
  assert.deepEqual(dropped({ pools: ["a"] }), [...common, "the pool", ...news, "an override"]);
  assert.deepEqual(dropped({}), [...common, ...news, "another target's deadline", "an override"]);
  const soonMs = new ManualClock().nowMs() + 1000;
  assert.ok(dropped({ pools: ["a"], untilMs: soonMs }).includes("a deadline farther off"));
});

/** Two tables of clients: a /16 to a row, of both families, but for networks that are told apart by their prefix. */
function tablesOfClients(first: number) {
  const v4 = tableBuilder(4), v6 = tableBuilder(6);
  for (let i = 0; i < 1 << 16; i++) v4.append(16, first + (i >> 3));
  for (let i = 0; i < 1 << 16; i++) v6.append(16, i === 0xfd00 ? DEEP_ROW : first + (i & 7));
  return { 4: v4.finish(), 6: v6.finish() };
}

/** Packets of clients here and there, with others between them that are not of the usual form. */
function askingsOfMany(round: number): Asking[] {
  return Array.from({ length: SLOTS }, (_, i): Asking => {
    const n = i * 7 + round * 3, id = 256 + i, name = i % 3 === 0 ? "www.example.org." : "a.b.example.org.";
    if (i % 11 === 5) return { id, name, options: [option(OPTION.COOKIE, 9)] };
    if (i % 5 === 0) return { id, name, source: `2001:${(n % 16).toString(16)}::${i + 1}` };
    if (i % 5 === 1) return { id, name, subnet: `2a0${n % 10}:1::/32`, source: `192.0.2.${i}` };
    if (i % 5 === 2) return { id, name, subnet: `fd00:${n % 4}::/32` };
    if (i % 5 === 3) return { id, name, source: `${1 + n % 200}.${i}.0.1` };
    return { id, name: `x${n % 9}.example.org.`, subnet: `10.${n % 32}.0.0/16` };
  });
}

Deno.test("packets that came together are answered as they are one by one, and remembered alike", () => {
  const tables = [tablesOfClients(1), tablesOfClients(1000)];
  // Each row has an address of its own, so that nobody gets another's unseen.
  const answer: Plugin["answer"] = (context) => {
    if (context.name[1] === "x") return dependingOn({ scopePrefixLength: 16 });
    const clients = tables[context.name[1] === "w" ? 0 : 1]!;
    const row = rowOf(clients, clientAddress(context).address);
    return dependingOn(
      { scopePrefixLength: 16, keys: ["tailored"], clients },
      { answer: [{ ...ADDRESS, rdata: [Uint8Array.of(192, 0, row >> 8, row)] }] },
    );
  };
  const together = new Bench({ answer }, "question", 1 << 20),
    alone = new Bench({ answer }, "question", 1 << 20);
  for (let round = 0; round < 30; round++) {
    const askings = askingsOfMany(round % 7);
    assert.deepEqual(together.askTogether(askings), askings.map((asking) => alone.ask(asking)), `${round}`);
    assert.deepEqual([together.asked, together.memo.hits], [alone.asked, alone.memo.hits], `${round}`);
    // One that comes alone lies where another lay before.
    assert.deepEqual(together.ask(askings[round]), alone.ask(askings[round]));
    if (round === 20) { for (const { memo } of [together, alone]) memo.drop(); }
  }
  assert.ok(together.memo.hits > 1000, `${together.memo.hits} were repeated`);
});

Deno.test("what is forgotten after packets were read leads none of them astray", () => {
  const tables = [tablesOfClients(1), tablesOfClients(1000)];
  const answer: Plugin["answer"] = (context) => {
    const clients = tables[context.name[1] === "w" ? 0 : 1]!;
    return dependingOn({ scopePrefixLength: 16, keys: ["tailored"], clients });
  };
  const bench = new Bench({ answer }, "question", 1 << 20), askings = askingsOfMany(1);
  const before = bench.askTogether(askings), { memo } = bench;
  const asked = bench.asked;
  assert.deepEqual(bench.askTogether(askings, () => memo.drop()), before);
  assert.equal(bench.asked, 2 * asked);
  assert.deepEqual(bench.askTogether(askings), before);
});

/** The same tables; `looks` counts how often one of them is taken to be looked into. */
function countedTables(first: number) {
  const tables = tablesOfClients(first), counted = { looks: 0 };
  const look = <T>(table: T) => (counted.looks++, table);
  return {
    counted,
    clients: {
      get 4() {
        return look(tables[4]);
      },
      get 6() {
        return look(tables[6]);
      },
    },
  };
}

/** A pool's answer by the row of a table, and the change that another partition of the pool is. */
function partitioned() {
  const before = { ...EMPTY_SNAPSHOT, partitions: { p: {} } };
  const after = { ...before, partitions: { p: { 4: {} as unknown as Partition } } };
  return { before, changes: changesBetween(before, after) };
}

Deno.test("after a pool has another partition, packets that came together are still looked up together, in its table alone", () => {
  const tables = [countedTables(1), countedTables(1000), countedTables(2000)],
    { before, changes } = partitioned();
  let current = 0;
  const answer: Plugin["answer"] = () =>
    dependingOn({
      scopePrefixLength: 16,
      keys: ["tailored"],
      clients: tables[current]!.clients,
      pools: ["p"],
    });
  const bench = new Bench({ answer }, "question", 1 << 20);
  const askings = Array.from({ length: SLOTS }, (_, i): Asking => ({ id: i, source: `10.${i}.0.1` }));
  for (; current < tables.length; current++) {
    if (current > 0) bench.memo.dropFor(changes, before);
    bench.askTogether(askings);
    for (const { counted } of tables) counted.looks = 0;
    const hits = bench.memo.hits;
    bench.askTogether(askings);
    assert.equal(bench.memo.hits - hits, askings.length);
    assert.deepEqual(tables.map(({ counted }) => counted.looks), tables.map((_, i) => i === current ? 1 : 0));
  }
});

Deno.test("tables of partitions that are no more are let go of", async () => {
  const { before, changes } = partitioned(), refs: WeakRef<object>[] = [];
  let clients = tablesOfClients(1);
  const answer: Plugin["answer"] = () =>
    dependingOn({ scopePrefixLength: 16, keys: ["tailored"], clients, pools: ["p"] });
  const bench = new Bench({ answer }, "question", 1 << 20);
  for (let i = 0; i < 12; i++) {
    refs.push(new WeakRef(clients));
    bench.ask({ source: `10.${i}.0.1` });
    clients = tablesOfClients(i * 1000);
    bench.memo.dropFor(changes, before);
  }
  await new Promise((resolve) => setTimeout(resolve, 0));
  collectGarbage();
  await new Promise((resolve) => setTimeout(resolve, 0));
  const held = refs.filter((ref) => ref.deref() !== undefined).length;
  assert.ok(held <= 5, `${held} of 12 are held`);
});
