import assert from "node:assert/strict";
import { type Answer, emptyAnswer } from "../../../core/answer.ts";
import { compose, type Plugin } from "../../../core/chain.ts";
import { ManualClock } from "../../../core/clock.ts";
import { decodeMessage } from "../../../core/dns/message.ts";
import { parseName } from "../../../core/dns/name.ts";
import { RCODE, TYPE } from "../../../core/dns/types.ts";
import { parseAddress } from "../../../core/net/address.ts";
import { type Examine, type ExchangeOptions, makeExamine } from "../../../core/server/exchange.ts";
import { EMPTY_SNAPSHOT } from "../../../core/snapshot.ts";
import { encodeQuery } from "../../support/server.ts";
import { factsOf } from "../../support/scopes.ts";

const endpoint = { address: parseAddress("192.0.2.53")!, port: 5353 };
const ARRIVAL = { source: endpoint, server: endpoint, transport: "udp" } as const;

/** An exchange of one block with one plugin, with what it logged and counted. */
function exchangeWith(plugin: Partial<Plugin>, more: Partial<ExchangeOptions> = {}) {
  const errors: string[] = [], faults: string[] = [];
  const whole: Plugin = { name: "probe", answer: () => emptyAnswer(RCODE.NOERROR), ...plugin };
  const block = {
    facts: factsOf({ plugins: [whole.name] }),
    chain: compose([whole]),
    otherClassChain: compose([]),
    observers: whole.observe ? [whole] : [],
    filters: whole.admits ? [whole] : [],
    labels: new Map(Object.entries(whole.labels ?? {})),
  };
  const examine = makeExamine({
    clock: new ManualClock(),
    log: { debug() {}, info() {}, warn() {}, error: (message) => void errors.push(message) },
    route: () => ({ block, zone: parseName(".") }),
    snapshot: () => EMPTY_SNAPSHOT,
    count: (name, labels) => void faults.push(`${name} ${labels?.plugin}`),
    ...more,
  });
  return { examine, errors, faults };
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
