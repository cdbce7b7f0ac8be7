import assert from "node:assert/strict";
import { cacheText, candidatesOf, type Kept, KEPT_MAX, readCache } from "../../../core/bootstrap/cache.ts";
import { type Candidate, tryOrder, whyNobody } from "../../../core/bootstrap/candidate.ts";
import { formatHostPort, parseEndpoint } from "../../../core/bootstrap/endpoint.ts";
import { readResolvConf } from "../../../core/bootstrap/resolv_conf.ts";
import { type Srv, srvOrder } from "../../../core/bootstrap/srv.ts";
import { parseName } from "../../../core/dns/name.ts";

const endpoints: [text: string, read: string | undefined][] = [
  ["192.0.2.1", "192.0.2.1:53"],
  ["192.0.2.1:5353", "192.0.2.1:5353"],
  ["2001:DB8::1", "[2001:db8::1]:53"],
  ["[2001:db8::1]", "[2001:db8::1]:53"],
  ["[2001:db8::1]:5353", "[2001:db8::1]:5353"],
  ["::ffff:192.0.2.1", "192.0.2.1:53"],
  ["192.0.2.1:0", undefined],
  ["192.0.2.1:65536", undefined],
  ["[192.0.2.1]", undefined],
  ["ns1.example.org", undefined],
  ["ns1.example.org:53", undefined],
  ["192.0.2.256", undefined],
  ["", undefined],
];

for (const [text, read] of endpoints) {
  Deno.test(`parseEndpoint() reads "${text}" as ${read ?? "nothing"}`, () => {
    const endpoint = parseEndpoint(text, 53);
    assert.equal(endpoint && formatHostPort(endpoint), read);
  });
}

Deno.test("readResolvConf() takes resolvers in order, with comments, zones and repetitions left out", () => {
  const text = `# made by a tool
search example.org
nameserver 192.0.2.1   ; the first
nameserver\t2001:db8::53
nameserver fe80::1%eth0
nameserver 192.0.2.1
nameserver nonsense
options ndots:2 timeout:1 attempts:3
`;
  assert.deepEqual(readResolvConf(text), {
    resolvers: [{ address: "192.0.2.1", port: 53 }, { address: "2001:db8::53", port: 53 }],
    timeoutMs: 1000,
    rounds: 3,
  });
});

Deno.test("readResolvConf() takes this machine where nobody is named, and bounds what it is told", () => {
  assert.deepEqual(readResolvConf(""), { resolvers: [{ address: "127.0.0.1", port: 53 }] });
  const { timeoutMs, rounds } = readResolvConf("options timeout:900 attempts:99\n");
  assert.deepEqual([timeoutMs, rounds], [30_000, 5]);
  assert.equal(readResolvConf("options timeout:0 attempts:x\n").timeoutMs, undefined);
});

const srv = (priority: number, weight: number, target = "a.example.org"): Srv => ({
  ...{ priority, weight, port: 1, target: parseName(target) },
});

Deno.test("srvOrder() goes by priority first", () => {
  const order = srvOrder([srv(20, 9), srv(10, 0), srv(30, 1), srv(10, 5)], () => 0);
  assert.deepEqual(order.map(({ priority }) => priority), [10, 10, 20, 30]);
});

Deno.test("srvOrder() draws in proportion to the weights, those of 0 hardly ever", () => {
  const first = { a: 0, b: 0, c: 0 }, records = [srv(1, 60, "a"), srv(1, 30, "b"), srv(1, 0, "c")];
  for (let drawn = 0; drawn < 91; drawn++) {
    first[String(srvOrder(records, () => drawn)[0]!.target)[1] as "a"]++;
  }
  // RFC 2782: of the 91 numbers from 0 to 90 one is for the weightless.
  assert.deepEqual(first, { a: 60, b: 30, c: 1 });
});

const candidate = (address: string, more: Partial<Candidate> = {}): Candidate => ({
  ...{ address, port: 1, from: "SRV", host: "", priority: 0, ...more },
});
const addresses = (candidates: readonly Candidate[]) => candidates.map(({ address }) => address);

Deno.test("tryOrder() lets the families take turns, IPv6 first, each as it came", () => {
  const order = tryOrder(
    ["192.0.2.1", "192.0.2.2", "192.0.2.3", "2001:db8::1", "2001:db8::2"].map((a) => candidate(a)),
  );
  assert.deepEqual(addresses(order), ["2001:db8::1", "192.0.2.1", "2001:db8::2", "192.0.2.2", "192.0.2.3"]);
});

Deno.test("tryOrder() keeps priorities apart, and an address once, where it is first", () => {
  const order = tryOrder([
    candidate("192.0.2.9", { priority: 20 }),
    candidate("2001:db8::1", { priority: 20 }),
    candidate("192.0.2.1", { priority: 10 }),
    candidate("192.0.2.1", { priority: 20 }),
    candidate("192.0.2.1", { priority: 20, port: 2 }),
  ]);
  assert.deepEqual(order.map(({ address, port, priority }) => `${priority} ${address} ${port}`), [
    "10 192.0.2.1 1",
    "20 2001:db8::1 1",
    "20 192.0.2.9 1",
    "20 192.0.2.1 2",
  ]);
});

const nobodys: [address: string, port: number, why: RegExp | undefined][] = [
  ["192.0.2.1", 0, /no port 0/],
  ["0.0.0.0", 1, /this network/],
  ["::", 1, /unspecified/],
  ["224.0.0.1", 1, /multicast/],
  ["ff02::1", 1, /multicast/],
  ["255.255.255.255", 1, /reserved/],
  ["127.0.0.1", 1, undefined],
  ["10.42.0.1", 1, undefined],
];

for (const [address, port, why] of nobodys) {
  Deno.test(`whyNobody() ${why ? "knows that nobody is" : "allows that somebody is"} at ${address} ${port}`, () => {
    const said = whyNobody({ address, port });
    if (why) assert.match(said!, why);
    else assert.equal(said, undefined);
  });
}

const SERVICE = "_formation._tcp.example.org.";
const kept = (address: string, seenMs: number, priority = 0): Kept => ({
  ...{ address, port: 1, host: "a", priority, seenMs },
});

Deno.test("a cache has those found now, then those from before that are not too old", () => {
  const terms = { nowMs: 10_000, maxAgeMs: 5000 };
  const before = [kept("192.0.2.2", 9000), kept("192.0.2.1", 9000), kept("192.0.2.3", 4000)];
  const read = readCache(cacheText(SERVICE, [candidate("192.0.2.1")], before, terms), SERVICE);
  assert.deepEqual(read.map(({ address, seenMs }) => `${address} ${seenMs}`), [
    "192.0.2.1 10000",
    "192.0.2.2 9000",
  ]);
  const many = Array.from({ length: 20 }, (_, i) => candidate(`192.0.2.${i}`));
  assert.equal(readCache(cacheText(SERVICE, many, [], terms), SERVICE).length, KEPT_MAX);
});

Deno.test("candidatesOf() has the newest first, with their age, and nobody who is too old", () => {
  const all = [
    kept("192.0.2.1", 6000),
    kept("192.0.2.2", 9000, 20),
    kept("192.0.2.3", 9000, 10),
    kept("192.0.2.4", 1),
  ];
  const found = tryOrder(candidatesOf(all, { nowMs: 10_000, maxAgeMs: 5000 }));
  assert.deepEqual(found.map(({ address, ageMs }) => `${address} ${ageMs}`), [
    "192.0.2.3 1000",
    "192.0.2.2 1000",
    "192.0.2.1 4000",
  ]);
});

Deno.test("candidatesOf() takes what was seen in the future, as by a machine whose clock starts in 1970", () => {
  const [found] = candidatesOf([kept("192.0.2.1", 9000)], { nowMs: 0, maxAgeMs: 5000 });
  assert.equal(found!.ageMs, 0);
});

const broken: [what: string, text: string, says: RegExp][] = [
  ["no JSON", "{", /not JSON/],
  ["another shape", "[]", /no list of entry points/],
  ["null", "null", /no list of entry points/],
  ["another version", '{"version":2,"entryPoints":[]}', /no list of entry points/],
  [
    "another name",
    cacheText("_x._tcp.example.net.", [], [], { nowMs: 0, maxAgeMs: 0 }),
    /of _x\._tcp\.example\.net\.$/,
  ],
  ["a name in place of an address", text({ address: "evil.example.net" }), /malformed/],
  ["a port that is none", text({ port: 70_000 }), /malformed/],
  ["no instant", text({ seenMs: "yesterday" }), /malformed/],
  ["null in the list", `{"version":1,"service":"${SERVICE}","entryPoints":[null]}`, /malformed/],
];

for (const [what, content, says] of broken) {
  Deno.test(`readCache() refuses a file with ${what}`, () => {
    assert.throws(() => readCache(content, SERVICE), says);
  });
}

function text(more: object): string {
  const one = { ...kept("192.0.2.1", 1), ...more };
  return JSON.stringify({ version: 1, service: SERVICE, entryPoints: [one] });
}
