import assert from "node:assert/strict";
import { type Answer, emptyAnswer } from "../../../core/answer.ts";
import { compose, type Plugin } from "../../../core/chain.ts";
import { ManualClock } from "../../../core/clock.ts";
import { decodeMessage, encodeMessage } from "../../../core/dns/message.ts";
import { formatName, parseName, ROOT } from "../../../core/dns/name.ts";
import { CLASS, RCODE, TYPE } from "../../../core/dns/types.ts";
import { parseAddress } from "../../../core/net/address.ts";
import type { ChainedBlock } from "../../../core/server/chained_block.ts";
import { type Examine, type ExchangeOptions, makeExamine } from "../../../core/server/exchange.ts";
import { EMPTY_SNAPSHOT } from "../../../core/snapshot.ts";
import { encodeQuery } from "../../support/server.ts";
import { factsOf } from "../../support/scopes.ts";

const endpoint = { address: parseAddress("192.0.2.53")!, port: 5353 };
const ARRIVAL = { source: endpoint, server: endpoint, transport: "udp" } as const;

/** An exchange of one block with one plugin, with what it logged and counted. */
function exchangeWith(
  plugin: Partial<Plugin>,
  more: Partial<ExchangeOptions> = {},
  everyClass = false,
  made: (block: ChainedBlock) => void = () => {},
) {
  const errors: string[] = [], faults: string[] = [], strays: string[] = [];
  const whole: Plugin = { name: "probe", answer: () => emptyAnswer(RCODE.NOERROR), ...plugin };
  const reached = { plugin: "" };
  const block = {
    reached,
    facts: factsOf({ plugins: [whole.name], labelZones: [parseName("labelled.example.org")] }),
    chain: compose([whole], reached),
    otherClassChain: compose(everyClass ? [whole] : [], reached),
    observers: whole.observe ? [whole] : [],
    filters: whole.admits ? [whole] : [],
    labels: new Map(Object.entries(whole.labels ?? {})),
  };
  made(block);
  const examine = makeExamine({
    clock: new ManualClock(),
    log: { debug() {}, info() {}, warn() {}, error: (message) => void errors.push(message) },
    route: () => ({ block, zone: parseName(".") }),
    snapshot: () => EMPTY_SNAPSHOT,
    count: (name, labels) => labels && void faults.push(`${name} ${labels.plugin}`),
    series: (name, labels = {}) => ({ record: () => void strays.push(`${name} ${Object.values(labels)}`) }),
    ...more,
  });
  return { examine, errors, faults, strays };
}

async function rcodeOf(examine: Examine): Promise<number> {
  const { octets } = await examine(encodeQuery("www.example.org", "A"), ARRIVAL);
  return decodeMessage(octets!).rcode;
}

/** An answer that cannot be encoded. */
const BROKEN = {
  ...emptyAnswer(RCODE.NOERROR),
  answer: [{ name: parseName("www.example.org"), type: TYPE.A, ttl: 60, rdata: undefined }],
} as unknown as Answer;

function broken(): never {
  throw new Error("out of order");
}

for (const waits of [false, true]) {
  const how = waits ? "waits" : "does not wait";

  Deno.test(`a reply goes out although its observer throws, where the chain ${how}`, async () => {
    let heard = 0;
    const { examine, errors, faults } = exchangeWith({
      answer: () => waits ? Promise.resolve(emptyAnswer(RCODE.NXDOMAIN)) : emptyAnswer(RCODE.NXDOMAIN),
      observe() {
        heard++;
        broken();
      },
    });
    assert.equal(await rcodeOf(examine), RCODE.NXDOMAIN);
    assert.equal(heard, 1);
    assert.deepEqual(faults, ["meridian_faults_total probe"]);
    assert.match(
      errors.join("\n"),
      /^plugin\/probe: a bug, observing .* www\.example\.org\. A: .*out of order/,
    );
  });

  Deno.test(`an answer that cannot be encoded is SERVFAIL, where the chain ${how}`, async () => {
    const observed: number[] = [];
    const { examine, faults } = exchangeWith({
      answer: () => waits ? Promise.resolve(BROKEN) : BROKEN,
      observe: (_, { rcode }) => void observed.push(rcode),
    });
    assert.equal(await rcodeOf(examine), RCODE.SERVFAIL);
    assert.deepEqual(observed, [RCODE.SERVFAIL]);
    assert.deepEqual(faults, ["meridian_faults_total server"]);
  });
}

Deno.test("a plugin that throws is SERVFAIL, counted and logged once", async () => {
  const { examine, errors, faults } = exchangeWith({ answer: broken });
  assert.equal(await rcodeOf(examine), RCODE.SERVFAIL);
  assert.deepEqual(faults, ["meridian_faults_total probe"]);
  assert.equal(errors.length, 1);
});

Deno.test("a router or a snapshot that cannot be had is SERVFAIL", async () => {
  assert.equal(await rcodeOf(exchangeWith({}, { route: broken }).examine), RCODE.SERVFAIL);
  assert.equal(await rcodeOf(exchangeWith({}, { snapshot: broken }).examine), RCODE.SERVFAIL);
});

Deno.test("a question of another class is seen only by plugins for every class, and is else REFUSED", async () => {
  const chaos = encodeMessage({ ...decodeMessage(encodeQuery("version.bind", "TXT")), questions: [CHAOS] });
  const classes: number[] = [];
  const plugin: Partial<Plugin> = {
    answer: ({ question }) => (classes.push(question.class), emptyAnswer(RCODE.NOERROR)),
  };
  const rcode = async (everyClass: boolean) =>
    decodeMessage((await exchangeWith(plugin, {}, everyClass).examine(chaos, ARRIVAL)).octets!).rcode;
  assert.deepEqual([await rcode(false), await rcode(true)], [RCODE.REFUSED, RCODE.NOERROR]);
  assert.deepEqual(classes, [CLASS.CH]);
});

const CHAOS = { name: parseName("version.bind"), type: TYPE.TXT, class: CLASS.CH };

Deno.test("a filter is asked with the query's context; one that throws admits nothing, and is told", async () => {
  const names: string[] = [];
  const filters: NonNullable<Plugin["admits"]>[] = [() => true, () => false, broken];
  const rcodes: number[] = [];
  for (const filter of filters) {
    let block: ChainedBlock | undefined;
    const { examine, faults } = exchangeWith(
      { admits: (context) => (names.push(formatName(context.name)), filter(context)) },
      {
        route: (_name, _type, _server, admits) =>
          admits(block!, ROOT) ? { block: block!, zone: ROOT } : undefined,
      },
      false,
      (made) => void (block = made),
    );
    rcodes.push(await rcodeOf(examine));
    assert.deepEqual(faults, filter === broken ? ["meridian_faults_total probe"] : []);
  }
  assert.deepEqual(rcodes, [RCODE.NOERROR, RCODE.REFUSED, RCODE.REFUSED]);
  assert.deepEqual(names, ["www.example.org.", "www.example.org.", "www.example.org."]);
});

Deno.test("labels are there for names in their zones, and are worked out when asked for", async () => {
  const found: (string | undefined)[] = [];
  let made = 0;
  const { examine } = exchangeWith({
    labels: { "probe/name": ({ name }) => (made++, formatName(name)) },
    answer: (context) => {
      found.push(context.label ? `${context.label("probe/name")} ${context.label("probe/none")}` : undefined);
      return emptyAnswer(RCODE.NOERROR);
    },
  });
  await examine(encodeQuery("www.example.org", "A"), ARRIVAL);
  assert.equal(made, 0);
  await examine(encodeQuery("a.labelled.example.org", "A"), ARRIVAL);
  assert.deepEqual(found, [undefined, "a.labelled.example.org. undefined"]);
  assert.equal(made, 1);
});

Deno.test("an observer is handed the octets that came and those that went", async () => {
  const heard: Uint8Array[] = [];
  const { examine } = exchangeWith({
    observe: ({ octets }, _, { message }) => void heard.push(octets, message!),
  });
  const query = encodeQuery("www.example.org", "A");
  const { octets } = await examine(query, ARRIVAL);
  assert.deepEqual(heard, [query, octets]);
});

Deno.test("a bug is told each time it is met, its stack the first time, and to who debugs each time", async () => {
  const told: string[] = [], debugged: string[] = [];
  const { examine } = exchangeWith({
    answer({ name }) {
      throw new Error(`out of order at ${name.length}`);
    },
  }, {
    log: {
      info() {},
      warn() {},
      error: (line) => void told.push(line),
      debug: (line) => void debugged.push(line),
    },
  });
  for (const name of ["www.example.org", "www.example.org", "mail.example.org"]) {
    await examine(encodeQuery(name, "A"), ARRIVAL);
  }
  assert.deepEqual(told.map((line) => line.split("\n").length > 2), [true, false, false]);
  assert.ok(
    told.every((line) => /^plugin\/probe: a bug, .*: Error: out of order at \d+/.test(line)),
    told.join("\n"),
  );
  assert.deepEqual(debugged.map((line) => /the stack of it:\n {4}at .*answer/.test(line)), [true, true]);
});

Deno.test("observe() hears who answered, whether the plugin had to wait or not", async () => {
  for (const answer of [emptyAnswer(RCODE.NOERROR), Promise.resolve(emptyAnswer(RCODE.NOERROR))]) {
    const heard: string[] = [];
    const { examine } = exchangeWith({
      answer: () => answer,
      observe: (_context, _answer, { plugin }) => void heard.push(plugin),
    });
    await rcodeOf(examine);
    assert.deepEqual(heard, ["probe"]);
  }
});

Deno.test("observe() hears that the server answered, where a plugin passed on or threw", async () => {
  const heard: string[] = [];
  const observe: Plugin["observe"] = (_context, _answer, { plugin }) => void heard.push(plugin);
  await rcodeOf(exchangeWith({ answer: (context, next) => next(context), observe }).examine);
  await rcodeOf(
    exchangeWith({
      answer() {
        throw new Error("out of order");
      },
      observe,
    }).examine,
  );
  assert.deepEqual(heard, ["", ""]);
});

Deno.test("a packet that no block takes is counted as dropped, with what it asked", async () => {
  const { examine, strays } = exchangeWith({}, { route: () => undefined });
  await examine(encodeQuery("www.example.org", "AAAA"), ARRIVAL);
  await examine(new Uint8Array(5), ARRIVAL);
  const broken = encodeQuery("www.example.org", "A").subarray(0, 20);
  await examine(broken, ARRIVAL);
  await examine(encodeQuery("www.example.org", "A"), ARRIVAL, () => {});
  const server = `dns://:${ARRIVAL.server.port}`, family = ARRIVAL.source.address.family === 6 ? 2 : 1;
  assert.deepEqual(strays, [
    `coredns_dns_requests_total ${server},dropped,,udp,${family},AAAA`,
    `coredns_dns_responses_total ${server},dropped,,REFUSED,`,
    `coredns_dns_requests_total ${server},dropped,,udp,${family},other`,
    `coredns_dns_requests_total ${server},dropped,,udp,${family},other`,
    `coredns_dns_responses_total ${server},dropped,,FORMERR,`,
  ]);
});

Deno.test("what is explained was sent by nobody, and says so", async () => {
  const seen: (true | undefined)[] = [];
  const { examine } = exchangeWith({
    answer: ({ rehearsed }) => (seen.push(rehearsed), emptyAnswer(RCODE.NOERROR)),
  });
  await examine(encodeQuery("www.example.org", "A"), ARRIVAL);
  await examine(encodeQuery("www.example.org", "A"), ARRIVAL, () => {});
  assert.deepEqual(seen, [undefined, true]);
});
