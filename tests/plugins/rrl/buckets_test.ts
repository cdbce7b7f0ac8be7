import assert from "node:assert/strict";
import fc from "fast-check";
import { type Address, formatPrefix, parseAddress, prefixOf } from "../../../core/plugin.ts";
import { Buckets, makeStore, type Rates, UNLIMITED } from "../../../plugins/rrl/buckets.ts";
import { DEFAULTS } from "../../../plugins/rrl/parse.ts";

const START_MS = Date.UTC(2026, 10, 22);
const ipv4 = (...octets: number[]): Address => ({ family: 4, octets: Uint8Array.from(octets) });

function bucketsOf(rates: Rates = DEFAULTS, entries = 65_536): Buckets {
  return new Buckets(makeStore(rates, entries, START_MS), rates);
}

/** How many of `count` replies pass, `everyMs` apart. */
function passed(
  buckets: Buckets,
  of: (i: number) => Address,
  count: number,
  fromMs: number,
  everyMs: number,
) {
  let total = 0;
  for (let i = 0; i < count; i++) {
    if (buckets.charge(of(i), fromMs + i * everyMs) === UNLIMITED) total++;
  }
  return total;
}

Deno.test("charge() lets 125 replies to an address pass at once, and 50 a second from then on", () => {
  const buckets = bucketsOf(), victim = ipv4(192, 0, 2, 1);
  assert.equal(passed(buckets, () => victim, 1000, START_MS, 0), 125);
  assert.equal(buckets.charge(victim, START_MS), 32);
  assert.equal(passed(buckets, () => victim, 10_000, START_MS + 1, 1), 500);
  // A second of silence is 50 tokens, two and a half a whole bucket, an hour no more than that.
  assert.equal(passed(buckets, () => victim, 1000, START_MS + 11_000, 0), 50);
  assert.equal(passed(buckets, () => victim, 1000, START_MS + 13_500, 0), 125);
  assert.equal(passed(buckets, () => victim, 1000, START_MS + 3_600_000, 0), 125);
});

Deno.test("charge() limits networks by their multiples: what they take at once, and each second", () => {
  const shapes: [length: number, multiplier: number, of: (i: number) => Address][] = [
    [24, 32, (i) => ipv4(192, 0, 2, i % 256)],
    [20, 256, (i) => ipv4(192, 0, (i >> 8) % 16, i % 256)],
    [18, 768, (i) => ipv4(192, 0, (i >> 8) % 64, i % 256)],
  ];
  for (const [length, multiplier, of] of shapes) {
    const buckets = bucketsOf(), burst = 125 * multiplier;
    assert.equal(passed(buckets, of, 2 * burst, START_MS, 0), burst, `/${length}`);
    assert.equal(buckets.charge(of(0), START_MS), length, `/${length} is what is empty`);
    const later = passed(buckets, of, 3 * 50 * multiplier, START_MS + 1000, 0);
    assert.equal(later, 50 * multiplier, `/${length} after a second`);
  }
});

Deno.test("charge() limits IPv6 networks likewise", () => {
  const of = (shift: number) => (i: number) => {
    const octets = new Uint8Array(16);
    octets.set([0x20, 0x01, 0x0d, 0xb8]);
    for (let k = 0; k < 4; k++) octets[shift - k] = i >>> 8 * k;
    return { family: 6, octets } as const;
  };
  // Random interface identifiers in one /64; then /64s in one /56, /56s in one /48 and /48s in one /32.
  assert.equal(passed(bucketsOf(), of(15), 10_000, START_MS, 0), 125 * 2);
  assert.equal(passed(bucketsOf(), (i) => of(7)(i % 256), 10_000, START_MS, 0), 125 * 3);
  assert.equal(passed(bucketsOf(), (i) => of(7)(i % 65_536), 70_000, START_MS, 0), 125 * 4);
  assert.equal(passed(bucketsOf(), (i) => of(5)(i % 65_536), 70_000, START_MS, 0), 125 * 64);
});

Deno.test("charge() takes nothing from a network for replies that its address may not have", () => {
  const buckets = bucketsOf(), loud = ipv4(192, 0, 2, 1);
  assert.equal(passed(buckets, () => loud, 100_000, START_MS, 0), 125);
  // Its neighbours have the rest of the /24.
  const neighbours = (i: number) => ipv4(192, 0, 2, 2 + i % 200);
  assert.equal(passed(buckets, neighbours, 5000, START_MS, 0), 125 * 32 - 125);
});

Deno.test("charge() counts as a slow model of buckets does, whatever the clients and the times", () => {
  const rates: Rates = {
    rate: 4,
    burst: 6,
    ipv4: [{ length: 32, multiplier: 1 }, { length: 30, multiplier: 2 }, { length: 28, multiplier: 3 }],
    ipv6: [],
  };
  const step = fc.record({ host: fc.nat(31), waitMs: fc.constantFrom(0, 0, 0, 10, 125, 250, 900, 5000) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
      const buckets = bucketsOf(rates, 1024), model = new Map<string, { tokens: number; atMs: number }>();
      let nowMs = START_MS;
      for (const { host, waitMs } of steps) {
        nowMs += waitMs;
        const address = ipv4(192, 0, 2, host);
        assert.equal(buckets.charge(address, nowMs), modelCharge(model, rates, address, nowMs));
      }
    }),
    { seed: 7, numRuns: 200 },
  );
});

function modelCharge(
  model: Map<string, { tokens: number; atMs: number }>,
  { rate, burst, ipv4 }: Rates,
  address: Address,
  nowMs: number,
): number {
  const all = ipv4.map(({ length, multiplier }) => {
    const key = formatPrefix(prefixOf(address, length)), most = burst * multiplier;
    const bucket = model.get(key) ?? { tokens: most, atMs: nowMs };
    model.set(key, bucket);
    bucket.tokens = Math.min(most, bucket.tokens + (nowMs - bucket.atMs) * rate * multiplier / 1000);
    bucket.atMs = nowMs;
    return { length, bucket };
  });
  const empty = all.find(({ bucket }) => bucket.tokens < 1 - 1e-6);
  if (empty) return empty.length;
  for (const { bucket } of all) bucket.tokens--;
  return UNLIMITED;
}

Deno.test("refund() puts back what was taken", () => {
  const buckets = bucketsOf(), address = ipv4(192, 0, 2, 1);
  for (let i = 0; i < 1000; i++) {
    assert.equal(buckets.charge(address, START_MS), UNLIMITED);
    buckets.refund(address, START_MS);
  }
  assert.equal(passed(buckets, () => address, 1000, START_MS, 0), 125);
});

Deno.test("charge() goes on when the clock is set back, and when it is set ahead", () => {
  const buckets = bucketsOf(), address = ipv4(192, 0, 2, 1);
  for (const nowMs of [START_MS, START_MS - 3_600_000, START_MS + 86_400_000, START_MS - 86_400_000]) {
    assert.equal(passed(buckets, () => address, 1000, nowMs, 0), 125, String(nowMs - START_MS));
  }
});

Deno.test("charge() keeps hold of who draws most while a million others pass by", () => {
  const buckets = bucketsOf(DEFAULTS, 1024), victim = ipv4(192, 0, 2, 1);
  assert.equal(passed(buckets, () => victim, 200, START_MS, 0), 125);
  let answered = 0, nowMs = START_MS;
  for (let i = 0; i < 1_000_000; i++) {
    nowMs += 0.01;
    buckets.charge(ipv4(10 + (i >> 16 & 63), i >> 8 & 255, i & 255, i * 7 & 255), nowMs);
    if (i % 100 === 0 && buckets.charge(victim, nowMs) === UNLIMITED) answered++;
  }
  // In 10 s an address has 500 tokens; for each of the 10 000 that it asked for, a hundred strangers came.
  assert.ok(answered <= 550, `${answered} replies`);
});

Deno.test("makeStore() takes a fixed amount of memory, and hashes by a key of its own", () => {
  const store = makeStore(DEFAULTS, 65_536, START_MS), other = makeStore(DEFAULTS, 65_536, START_MS);
  assert.equal(store.buffer.byteLength, 9 * 65_536 * 12);
  assert.notDeepEqual(store.key, other.key);
  assert.equal(makeStore(DEFAULTS, 1025, START_MS).entries, 2048);
});

Deno.test("buckets in shared memory are the same for every worker", () => {
  const store = makeStore(DEFAULTS, 1024, START_MS), address = parseAddress("2001:db8::1")!;
  const first = new Buckets(store, DEFAULTS), second = new Buckets(structuredClone(store), DEFAULTS);
  const total = passed(first, () => address, 100, START_MS, 0) +
    passed(second, () => address, 100, START_MS, 0);
  assert.equal(total, 125);
});
