import assert from "node:assert/strict";
import fc from "fast-check";
import { bootstrap, type BootstrapOptions, type BootstrapResult } from "../../../core/bootstrap/bootstrap.ts";
import { encodeMessage } from "../../../core/dns/message.ts";
import { recordOf } from "../../plugins/forward/fake_upstream.ts";
import { FakeNetwork, zoneOf } from "./fake_network.ts";

const NAME = "bootstrap.example.org";
const SRV = `_formation._tcp.${NAME} 60 SRV`;

/** Looks for entry points in a network. */
function find(network: FakeNetwork, more: Partial<BootstrapOptions> = {}): Promise<BootstrapResult> {
  return network.run(bootstrap({ name: NAME, io: network.io, ...more }));
}

/** `192.0.2.1:8443 SRV chosen`. */
const lines = ({ considered }: BootstrapResult) =>
  considered.map(({ address, port, from, verdict }) => `${address}:${port} ${from} ${verdict}`);

const chosen = ({ entryPoints }: BootstrapResult) =>
  entryPoints.map(({ address, port }) => `${address}:${port}`);

const THREE = zoneOf(
  `${SRV} 10 50 8443 fra1.example.org`,
  `${SRV} 10 50 8443 lon1.example.org`,
  `${SRV} 20 0 8444 sin1.example.org`,
  "fra1.example.org 60 A 192.0.2.1",
  "fra1.example.org 60 AAAA 2001:db8::1",
  "lon1.example.org 60 A 192.0.2.2",
  "sin1.example.org 60 A 192.0.2.3",
  `${NAME} 30 A 192.0.2.4`,
);

Deno.test("bootstrap() orders by SRV priority, then round trip, and gives every candidate a reason", async () => {
  const network = new FakeNetwork(THREE);
  Object.assign(network.hosts, { "2001:db8::1:8443": 40, "192.0.2.2:8443": 15, "192.0.2.3:8444": 1 });
  network.hosts["192.0.2.1:8443"] = "connection refused";
  const result = await find(network);
  assert.deepEqual(chosen(result), ["192.0.2.2:8443", "2001:db8::1:8443", "192.0.2.3:8444"]);
  assert.equal(result.origin, "SRV");
  assert.deepEqual(result.entryPoints.map(({ rttMs }) => rttMs), [15, 40, 1]);
  assert.equal(result.ttl, 30);
  const refused = result.considered.find(({ address }) => address === "192.0.2.1")!;
  assert.deepEqual([refused.verdict, refused.why, refused.host], [
    "failed",
    "connection refused",
    "fra1.example.org",
  ]);
  const own = result.considered.find(({ address }) => address === "192.0.2.4")!;
  assert.deepEqual([own.from, own.verdict, own.why], ["A", "not tried", "SRV records were enough"]);
  assert.equal(network.open, 0);
  assert.deepEqual(JSON.parse(JSON.stringify(result)), structuredClone(result));
});

Deno.test("bootstrap() uses addresses that come with the SRV records, and asks for the family that does not", async () => {
  const network = new FakeNetwork(({ questions: [question] }) =>
    question!.type === 33
      ? {
        answer: [recordOf(`${SRV} 1 1 8443 fra1.example.org`)],
        additional: [
          recordOf("fra1.example.org 60 A 192.0.2.1"),
          recordOf("other.example.net 60 A 203.0.113.66"),
        ],
      }
      : {}
  );
  network.hosts["192.0.2.1:8443"] = 1;
  assert.deepEqual(lines(await find(network)), ["192.0.2.1:8443 SRV chosen"]);
  const asked = network.queries.map((query) => query.split(" to ")[0]!).sort();
  assert.deepEqual(asked, [
    `A ${NAME}.`,
    "AAAA bootstrap.example.org.",
    "AAAA fra1.example.org.",
    `SRV _formation._tcp.${NAME}.`,
  ]);
});

Deno.test("bootstrap() goes by the name's addresses where there are no SRV records, at the port that is given", async () => {
  const network = new FakeNetwork(zoneOf(`${NAME} 60 A 192.0.2.4`, `${NAME} 60 AAAA 2001:db8::4`));
  network.hosts["192.0.2.4:7000"] = 3;
  network.hosts["2001:db8::4:7000"] = 4;
  const result = await find(network, { port: 7000 });
  assert.deepEqual([result.origin, ...chosen(result)], ["addresses", "192.0.2.4:7000", "2001:db8::4:7000"]);
  network.hosts["192.0.2.4:51820"] = 3;
  assert.deepEqual(chosen(await find(network)), ["192.0.2.4:51820"]);
});

Deno.test("bootstrap() goes by the name's addresses when nobody of the SRV records can be reached", async () => {
  const network = new FakeNetwork(THREE);
  network.hosts["192.0.2.4:51820"] = 3;
  const result = await find(network);
  assert.deepEqual([result.origin, ...chosen(result)], ["addresses", "192.0.2.4:51820"]);
  assert.equal(
    result.considered.filter(({ verdict }) => verdict === "failed" || verdict === "given up").length,
    4,
  );
});

Deno.test("bootstrap() follows an alias of the service's name and of a target's", async () => {
  const network = new FakeNetwork(zoneOf(
    `_formation._tcp.${NAME} 60 CNAME srv.example.net`,
    "srv.example.net 60 SRV 1 1 8443 alias.example.net",
    "alias.example.net 60 CNAME fra1.example.org",
    "fra1.example.org 60 A 192.0.2.1",
  ));
  network.hosts["192.0.2.1:8443"] = 1;
  const result = await find(network);
  assert.deepEqual(chosen(result), ["192.0.2.1:8443"]);
  assert.equal(result.entryPoints[0]!.host, "alias.example.net");
});

Deno.test("bootstrap() believes a name that says that there is no such service: only its own list is left", async () => {
  const network = new FakeNetwork(zoneOf(`${SRV} 0 0 0 .`, `${NAME} 60 A 192.0.2.4`));
  network.hosts["192.0.2.4:51820"] = network.hosts["192.0.2.5:51820"] = network.hosts["192.0.2.6:1"] = 1;
  network.files.cache = cacheOf(network, 0, "192.0.2.5");
  const options = { cache: { file: "cache" } };
  const none = await find(network, options);
  assert.deepEqual([none.origin, ...lines(none)], [undefined]);
  assert.match(none.notes.join("\n"), /the service is not to be had/);
  const listed = await find(network, { ...options, fallback: [{ address: "192.0.2.6", port: 1 }] });
  assert.deepEqual([listed.origin, ...lines(listed)], ["fallback", "192.0.2.6:1 fallback chosen"]);
});

Deno.test("bootstrap() keeps those that answered, and goes by them when DNS is silent", async () => {
  const network = new FakeNetwork(THREE), cache = { file: "cache" };
  Object.assign(network.hosts, { "192.0.2.2:8443": 15, "2001:db8::1:8443": 40 });
  await find(network, { cache });
  network.dns = () => undefined;
  network.clock.advance(3 * 3_600_000);
  const result = await find(network, { cache });
  assert.deepEqual([result.origin, ...chosen(result)], ["cache", "192.0.2.2:8443", "2001:db8::1:8443"]);
  assert.ok(Math.abs(result.entryPoints[0]!.ageMs! - 3 * 3_600_000) < 60_000);
  assert.ok(result.notes.length > 0);
  network.clock.advance(7 * 86_400_000);
  const late = await find(network, { cache });
  assert.deepEqual([late.origin, ...lines(late)], [undefined]);
  assert.match(late.notes.join("\n"), /2 in the cache are too old/);
});

Deno.test("bootstrap() does not make what it kept younger by reaching it again", async () => {
  const network = new FakeNetwork(() => undefined);
  network.files.cache = cacheOf(network, 5000, "192.0.2.5");
  network.hosts["192.0.2.5:51820"] = 1;
  const before = network.files.cache;
  assert.equal((await find(network, { cache: { file: "cache" } })).origin, "cache");
  assert.equal(network.files.cache, before);
});

Deno.test("bootstrap() goes by its own list when nothing else helps", async () => {
  const network = new FakeNetwork(() => ({ rcode: 2 }));
  network.files.cache = cacheOf(network, 5000, "192.0.2.5");
  network.hosts["192.0.2.7:7"] = 9;
  const result = await find(network, {
    cache: { file: "cache" },
    fallback: [{ address: "192.0.2.6", port: 6 }, { address: "192.0.2.7", port: 7 }],
  });
  assert.deepEqual(
    lines(result),
    [
      "192.0.2.5:51820 cache failed",
      "192.0.2.6:6 fallback failed",
      "192.0.2.7:7 fallback chosen",
    ],
  );
  assert.equal(result.origin, "fallback");
});

Deno.test("bootstrap() says what is wrong with its file, goes on, and writes it anew", async () => {
  const network = new FakeNetwork(THREE);
  network.files.cache = "{";
  network.hosts["192.0.2.2:8443"] = 15;
  const result = await find(network, { cache: { file: "cache" } });
  assert.deepEqual(chosen(result), ["192.0.2.2:8443"]);
  assert.match(result.notes.join("\n"), /Cannot use cache: it is not JSON/);
  assert.match(network.files.cache, /192\.0\.2\.2/);
  const full = {
    ...network.io,
    files: { ...network.io.files, write: () => Promise.reject(new Error("disk full")) },
  };
  const unwritten = await find(network, { cache: { file: "cache" }, io: full });
  assert.deepEqual(chosen(unwritten), ["192.0.2.2:8443"]);
  assert.match(unwritten.notes.join("\n"), /Cannot write cache: disk full/);
});

Deno.test("bootstrap() is over in time, whoever is silent", async () => {
  const silentDns = new FakeNetwork(() => undefined);
  const startMs = silentDns.clock.nowMs();
  const none = await find(silentDns, { timeoutMs: 3000, fallback: [{ address: "192.0.2.6", port: 6 }] });
  assert.deepEqual(none.entryPoints, []);
  assert.ok(none.notes.includes(`A ${NAME}.: the time for DNS was over`), none.notes.join());
  assert.ok(none.asked.every(({ outcome }) => outcome === "silent when the time was over"));
  assert.equal(none.asked.length, 3);
  assert.ok(silentDns.clock.nowMs() - startMs <= 3000);
  const silentHosts = new FakeNetwork(THREE);
  const laterMs = silentHosts.clock.nowMs();
  assert.deepEqual((await find(silentHosts, { timeoutMs: 3000 })).entryPoints, []);
  assert.ok(silentHosts.clock.nowMs() - laterMs <= 3000);
  assert.equal(silentDns.open + silentHosts.open, 0);
});

Deno.test("bootstrap() leaves time for its own list when those of DNS are silent", async () => {
  const network = new FakeNetwork(THREE);
  network.hosts["192.0.2.6:6"] = 100;
  const result = await find(network, { timeoutMs: 2000, fallback: [{ address: "192.0.2.6", port: 6 }] });
  assert.deepEqual([result.origin, ...chosen(result)], ["fallback", "192.0.2.6:6"]);
});

Deno.test("bootstrap() does not wait for the question that nobody answers when it has addresses", async () => {
  const network = new FakeNetwork((query, to) =>
    query.questions[0]!.type === 28 ? undefined : THREE(query, to)
  );
  network.hosts["192.0.2.2:8443"] = 1;
  const { tookMs, entryPoints } = await find(network, { count: 1 });
  assert.equal(entryPoints.length, 1);
  assert.equal(network.open, 0);
  assert.ok(tookMs < 1500, `${tookMs} ms`);
});

Deno.test("bootstrap() ends when it is told to", async () => {
  const network = new FakeNetwork(() => undefined), controller = new AbortController();
  network.clock.after(100, () => controller.abort());
  const startMs = network.clock.nowMs();
  const result = await find(network, {
    signal: controller.signal,
    fallback: [{ address: "192.0.2.6", port: 6 }],
  });
  assert.deepEqual(result.entryPoints, []);
  assert.equal(network.clock.nowMs() - startMs, 100);
});

Deno.test("bootstrap() with the probe none gives them in the order in which they would be tried", async () => {
  const network = new FakeNetwork(THREE);
  const result = await find(network, { probe: "none", count: 2 });
  assert.equal(network.connected.length, 0);
  assert.deepEqual(result.entryPoints.map(({ priority, rttMs }) => [priority, rttMs]), [[10, undefined], [
    10,
    undefined,
  ]]);
  assert.equal(result.entryPoints[0]!.family, 6);
});

Deno.test("bootstrap() with the probe https asks each for a path under the name of its target", async () => {
  const network = new FakeNetwork(THREE);
  Object.assign(network.hosts, { "192.0.2.2:8443": 15 });
  const result = await find(network, { probe: "https", https: { path: "/up" }, count: 1 });
  assert.deepEqual(result.entryPoints.map(({ why }) => why), ["HTTP 200, 1 of 1"]);
  assert.ok(
    network.requests.includes("https://lon1.example.org:8443/up at 192.0.2.2"),
    network.requests.join(),
  );
  network.status = 503;
  const sick = await find(network, { probe: "https", count: 1 });
  assert.deepEqual(sick.entryPoints, []);
  assert.ok(sick.considered.some(({ why }) => why === "HTTP 503"));
});

Deno.test("bootstrap() connects to nobody who cannot be there, and to no more than there is sense in", async () => {
  const hostile = Array.from({ length: 60 }, (_, i) => recordOf(`${SRV} 1 ${i} ${i % 2} t${i}.example.net`));
  const network = new FakeNetwork(({ questions }) => {
    const { type, name } = questions[0]!;
    if (type === 33) return { answer: hostile };
    if (type === 28) return {};
    const addresses = ["0.0.0.0", "224.0.0.1", ...Array.from({ length: 40 }, (_, i) => `192.0.2.${i}`)];
    return { answer: addresses.map((address) => ({ ...recordOf(`x 60 A ${address}`), name })) };
  });
  const result = await find(network);
  const srv = result.considered.filter(({ from }) => from === "SRV");
  assert.ok(srv.length <= 2 * 16, `${srv.length}`);
  assert.ok(srv.some(({ verdict, why }) => verdict === "refused" && why === "there is no port 0"));
  assert.ok(srv.some(({ why }) => why.endsWith("multicast")));
  // One for each of 32 targets and families, three at the start.
  assert.ok(network.queries.length <= 67, `${network.queries.length} queries`);
  for (const [to] of network.connected) assert.match(to, /^192\.0\.2\.\d+:(1|51820)$/);
});

Deno.test("bootstrap() asks the resolvers of the system, or those it is told", async () => {
  const network = new FakeNetwork(THREE);
  network.files["/etc/resolv.conf"] = "nameserver 192.0.2.99\n";
  await find(network, { probe: "none" });
  assert.ok(network.queries.every((query) => query.endsWith(" to 192.0.2.99:53")));
  network.queries.length = 0;
  await find(network, { probe: "none", resolvers: [{ address: "2001:db8::53", port: 5353 }] });
  assert.ok(network.queries.every((query) => query.endsWith(" to 2001:db8::53:5353")));
});

Deno.test("bootstrap() comes to an end, without a throw, whatever octets of replies are changed", async () => {
  const change = fc.record({ at: fc.nat({ max: 400 }), octet: fc.nat({ max: 255 }) });
  await fc.assert(
    fc.asyncProperty(
      fc.array(change, { minLength: 1, maxLength: 6 }),
      fc.nat({ max: 20 }),
      async (changes, cut) => {
        const network = new FakeNetwork((query, to) => {
          const octets = encodeMessage({
            ...query,
            isResponse: true,
            recursionAvailable: true,
            ...THREE(query, to),
          });
          // The ID stays, so that something is read at all.
          for (const { at, octet } of changes) octets[2 + at % (octets.length - 2)] = octet;
          return octets.subarray(0, octets.length - cut);
        });
        network.hosts["192.0.2.2:8443"] = 1;
        const { considered } = await find(network, { timeoutMs: 2000 });
        assert.ok(considered.length <= 2 * 32 * 16);
        assert.equal(network.open, 0);
      },
    ),
    { numRuns: 100, seed: 11 },
  );
});

const wrong: [what: string, options: Partial<BootstrapOptions>, says: RegExp][] = [
  ["a name with an empty label", { name: "a..example" }, /empty label/],
  [
    "a service without underscores",
    { service: "formation.tcp" },
    /written as _formation\._tcp: got "formation\.tcp"/,
  ],
  ["a port that is none", { port: 0 }, /port must be a whole number from 1 to 65535: got 0/],
  ["a count of nobody", { count: 0 }, /count must be a whole number from 1 to 100: got 0/],
  [
    "a resolver by name",
    { resolvers: [{ address: "ns1.example", port: 53 }] },
    /Wanted an IP address: got "ns1/,
  ],
];

for (const [what, options, says] of wrong) {
  Deno.test(`bootstrap() refuses ${what}`, async () => {
    await assert.rejects(bootstrap({ name: NAME, io: new FakeNetwork(THREE).io, ...options }), says);
  });
}

function cacheOf(network: FakeNetwork, ageMs: number, address: string): string {
  const seenMs = network.clock.nowMs() - ageMs;
  return JSON.stringify({
    version: 1,
    service: `_formation._tcp.${NAME}.`,
    entryPoints: [{ address, port: 51_820, host: NAME, priority: 0, seenMs }],
  });
}
