import assert from "node:assert/strict";
import { healthResponse } from "../../../core/agent/health.ts";
import { openKeyFile } from "../../../core/agent/key_file.ts";
import {
  either,
  LoadMeter,
  type LoadSource,
  parseMeminfo,
  parseNetDev,
  parseSnmp,
  parseStat,
  procSource,
} from "../../../core/agent/load.ts";
import { PeerMeter } from "../../../core/agent/peers.ts";
import { ServerList } from "../../../core/agent/servers.ts";
import { ManualClock } from "../../../core/clock.ts";
import { isSignedBy } from "../../../core/registry/keys.ts";
import { settled } from "../registry/make.ts";

const PROC: Record<string, string> = {
  "/proc/stat": "cpu  100 10 50 800 20 5 5 10 40 0\ncpu0 100 10 50 800 20 5 5 10 0 0\nintr 1\n",
  "/proc/meminfo": "MemTotal:       1000 kB\nMemFree:         100 kB\nMemAvailable:    400 kB\n",
  "/proc/net/dev": "Inter-|   Receive  |  Transmit\n face |bytes    packets errs|bytes\n" +
    "    lo: 999 9 0 0 0 0 0 0 999 9 0 0 0 0 0 0\n  eth0: 1000 9 0 0 0 0 0 0 500 9 0 0 0 0 0 0\n" +
    "wg0:7 1 0 0 0 0 0 0 3 9 0 0 0 0 0 0\n",
  "/proc/net/snmp": "Ip: Forwarding\nIp: 1\nTcp: RtoAlgorithm CurrEstab InSegs\nTcp: 1 42 7\n",
};

Deno.test("load is read from /proc as proc(5) has it", () => {
  assert.deepEqual(parseStat(PROC["/proc/stat"]!), { busy: 180, total: 1000 });
  assert.equal(parseMeminfo(PROC["/proc/meminfo"]!), 0.6);
  assert.equal(parseNetDev(PROC["/proc/net/dev"]!), 1510);
  assert.equal(parseSnmp(PROC["/proc/net/snmp"]!), 42);
  for (const parse of [parseStat, parseMeminfo, parseNetDev, parseSnmp]) {
    assert.equal(parse("nonsense\n"), undefined);
  }
});

Deno.test("load is what happened between two samples", () => {
  let nowMs = 0;
  const files = { ...PROC }, meter = new LoadMeter(procSource((path) => files[path]), () => nowMs);
  nowMs = 2000;
  files["/proc/stat"] = "cpu  150 10 50 850 20 5 5 10 0 0\n";
  files["/proc/net/dev"] = "  eth0: 3000 9 0 0 0 0 0 0 1500 9 0 0 0 0 0 0\n";
  assert.deepEqual(meter.sample(), { cpu: 0.5, memory: 0.6, network: 1495, connections: 42 });
  // An interface went, and its counters with it.
  nowMs = 3000;
  files["/proc/net/dev"] = "  eth1: 5 0 0 0 0 0 0 0 5 0 0 0 0 0 0 0\n";
  assert.deepEqual(meter.sample(), { cpu: 0, memory: 0.6, network: 0, connections: 42 });
});

Deno.test("where /proc cannot be read, what the runtime tells is taken, and 0 where it tells nothing", () => {
  const other: LoadSource = {
    ...{ cpu: () => ({ busy: 1, total: 2 }), memory: () => 0.5 },
    ...{ octets: () => undefined, connections: () => undefined },
  };
  const meter = new LoadMeter(either(procSource(() => undefined), other), () => 0);
  assert.deepEqual(meter.sample(), { cpu: 0, memory: 0.5, network: 0, connections: 0 });
});

const [A, B, C] = ["https://a.example:8443", "https://b.example:8443", "https://c.example:8443"] as const;

Deno.test("a node stays with the server that answers, and goes round when none does", () => {
  const servers = new ServerList([A, B], [C]);
  assert.equal(servers.current, A);
  assert.deepEqual([servers.fail(), servers.current], [true, B]);
  servers.answered();
  assert.equal(servers.current, B);
  assert.deepEqual([servers.fail(), servers.current], [true, C]);
  assert.deepEqual([servers.fail(), servers.current], [true, A]);
  assert.deepEqual([servers.fail(), servers.current], [false, B], "all three have failed");
});

Deno.test("servers that are told are added to those configured, which stay; the current one stays current", () => {
  const servers = new ServerList([A], []);
  assert.equal(servers.learn([A, C, B, C]), true);
  assert.deepEqual([servers.all, servers.told], [[A, C, B], [C, B]]);
  assert.equal(servers.learn([A, C, B]), false);
  servers.fail();
  assert.equal(servers.current, C);
  servers.learn([B, C]);
  assert.deepEqual([servers.current, servers.all], [C, [A, B, C]]);
  assert.equal(servers.learn([]), false, "who tells of nobody knows of nobody");
  servers.learn([B]);
  assert.equal(servers.current, A);
});

Deno.test("nobody is taken for a server who is none, nor without TLS", () => {
  const servers = new ServerList([A], [
    "https://user@evil.example",
    "http://127.0.0.1:1",
    "https://x.example/path",
  ]);
  servers.learn(["ftp://x", "nonsense", 7 as never, "http://10.0.0.1", B]);
  assert.deepEqual(servers.all, [A, B]);
  assert.equal(
    new ServerList([A], Array.from({ length: 200 }, (_, i) => `https://s${i}.example`)).told.length,
    64,
  );
});

Deno.test("a key is made once, for nobody else to read, and found again", async () => {
  const folder = await Deno.makeTempDir(), file = `${folder}/node.key`;
  try {
    const key = await openKeyFile(file), text = new TextEncoder().encode("text");
    assert.equal((await Deno.stat(file)).mode! & 0o777, 0o600);
    const again = await openKeyFile(file);
    assert.equal(again.publicKey, key.publicKey);
    assert.ok(isSignedBy(key.publicKey, text, again.sign(text)));
    assert.ok(!isSignedBy(key.publicKey, new Uint8Array(4), again.sign(text)));
    await Deno.chmod(file, 0o640);
    await assert.rejects(openKeyFile(file), /others may read it \(mode 640\); wanted: chmod 600/);
    await Deno.chmod(file, 0o600);
    await Deno.writeTextFile(file, "secret nonsense");
    await assert.rejects(
      openKeyFile(file),
      (error: Error) =>
        /must hold an Ed25519 private key/.test(error.message) && !error.message.includes("secret"),
    );
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("health is 200 with JSON, 503 or a header while the node drains", async () => {
  const status = {
    node: "fra1",
    state: "unreachable",
    server: A,
    servers: [A],
    peers: [],
    notices: [],
  } as const;
  const answer = (isDraining: boolean, draining: "status" | "header", path = "/health", method = "GET") =>
    healthResponse(
      new Request(`http://x${path}`, { method }),
      { path: "/health", draining },
      status,
      isDraining,
    );
  const well = answer(false, "status");
  assert.deepEqual([well.status, (await well.json()).state], [200, "unreachable"]);
  const drains = answer(true, "status");
  assert.deepEqual([drains.status, (await drains.json()).state], [503, "draining"]);
  const header = answer(true, "header");
  assert.deepEqual([header.status, header.headers.get("meridian-draining")], [200, "true"]);
  assert.equal(answer(false, "header").headers.get("meridian-draining"), null);
  assert.deepEqual(
    [answer(false, "status", "/x").status, answer(false, "status", "/health", "POST").status],
    [404, 405],
  );
  assert.equal(await answer(false, "status", "/health", "HEAD").text(), "");
});

Deno.test("round trips are the least of three, of those that answer, once in an interval", async () => {
  const clock = new ManualClock(), asked: string[] = [];
  let preciseMs = 0, count = 0;
  const meter = new PeerMeter([{ node: "ams1", address: "192.0.2.1:80" }], 60_000, {
    clock,
    preciseMs: () => preciseMs,
    connect: (host, port) => {
      asked.push(`${host}:${port}`);
      preciseMs += [9, 7.004, 8][count++ % 3]!;
      return host === "192.0.2.9" ? Promise.reject(new Error("refused")) : Promise.resolve();
    },
  });
  meter.learn([{ node: "dead", address: "192.0.2.9:80" }, { node: "wrong", address: "nonsense" }]);
  meter.start();
  await settled();
  assert.deepEqual(meter.times, [{ node: "ams1", rttMs: 7 }]);
  assert.deepEqual(asked, ["192.0.2.1:80", "192.0.2.1:80", "192.0.2.1:80", "192.0.2.9:80"]);
  clock.advance(59_999);
  await settled();
  assert.equal(asked.length, 4);
  clock.advance(1);
  await settled();
  assert.equal(asked.length, 8);
  meter.close();
});
