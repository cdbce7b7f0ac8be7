import assert from "node:assert/strict";
import { bootstrap } from "../../../core/bootstrap/bootstrap.ts";
import { havePackages } from "../../../scripts/packages.ts";
import { startUnbound } from "../../support/unbound.ts";
import { nodeAt, zoneServer } from "./servers.ts";

const NAME = "fleet.example";

/** For a machine that does something else for a while between a question and its answer. */
const PATIENT = { timeoutMs: 300_000, resolverTimeoutMs: 60_000, attemptTimeoutMs: 60_000 };

Deno.test("bootstrap() finds the nodes of a zone that a server has", async () => {
  using first = nodeAt("127.0.0.31"), second = nodeAt("127.0.0.32");
  const gone = nodeAt("127.0.0.33");
  gone[Symbol.dispose]();
  await using server = await zoneServer(`
_formation._tcp IN SRV 10 1 ${gone.port} a
_formation._tcp IN SRV 20 1 ${first.port} b
_formation._tcp IN SRV 30 1 ${second.port} c
a IN A 127.0.0.33
b IN A 127.0.0.31
c IN A 127.0.0.32`);
  const result = await bootstrap({ ...PATIENT, name: NAME, resolvers: server.resolvers });
  assert.deepEqual(
    result.entryPoints.map(({ address, port, host }) => [address, port, host]),
    [["127.0.0.31", first.port, "b.fleet.example"], ["127.0.0.32", second.port, "c.fleet.example"]],
  );
  assert.match(result.considered[0]!.why, /refused/i);
  assert.ok(result.asked.every(({ outcome }) => /by UDP$/.test(outcome)), JSON.stringify(result.asked));
});

Deno.test("bootstrap() gets over TCP what is too long for a datagram", async () => {
  using node = nodeAt("127.0.0.31");
  const many = Array.from(
    { length: 60 },
    (_, i) =>
      `_formation._tcp IN SRV ${100 + i} 0 1 a-rather-long-name-of-a-host-${i}\n` +
      `a-rather-long-name-of-a-host-${i} IN A 127.0.0.34`,
  );
  await using server = await zoneServer(
    `_formation._tcp IN SRV 1 0 ${node.port} z\nz IN A 127.0.0.31\n${many.join("\n")}`,
  );
  const result = await bootstrap({ ...PATIENT, name: NAME, resolvers: server.resolvers, count: 1 });
  assert.deepEqual(result.entryPoints.map(({ address }) => address), ["127.0.0.31"]);
  assert.match(
    result.asked.find(({ question }) => question.startsWith("SRV"))!.outcome,
    /61 records by TCP$/,
  );
});

Deno.test("bootstrap() asks and reaches over IPv6 as well", async () => {
  using node = nodeAt("::1");
  await using server = await zoneServer(
    `_formation._tcp IN SRV 1 0 ${node.port} a\na IN AAAA ::1`,
    NAME,
    "::1",
  );
  const result = await bootstrap({ ...PATIENT, name: NAME, resolvers: server.resolvers });
  assert.deepEqual(result.entryPoints.map(({ address, family }) => [address, family]), [["::1", 6]]);
  assert.equal(result.asked[0]!.resolver, `[::1]:${server.port}`);
});

Deno.test("bootstrap() finds the same through unbound", async () => {
  if (!await havePackages(["unbound"])) return;
  using node = nodeAt("127.0.0.31");
  await using server = await zoneServer(`
_formation._tcp IN CNAME srv
srv IN SRV 10 1 ${node.port} alias
alias IN CNAME b
b IN A 127.0.0.31`);
  const unbound = await startUnbound({ zone: NAME, serverPort: server.port });
  try {
    for (const raceResolvers of [false, true]) {
      const result = await bootstrap({
        ...{ ...PATIENT, name: NAME, raceResolvers },
        resolvers: [{ address: "127.0.0.1", port: unbound.port }],
      });
      assert.deepEqual(result.entryPoints.map(({ address, port }) => [address, port]), [[
        "127.0.0.31",
        node.port,
      ]]);
      assert.deepEqual(result.notes, []);
    }
  } finally {
    await unbound.stop();
  }
});
