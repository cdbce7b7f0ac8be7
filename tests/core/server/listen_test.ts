import assert from "node:assert/strict";
import { ManualClock } from "../../../core/clock.ts";
import { formatAddress, parseAddress } from "../../../core/net/address.ts";
import { type Interface, listen, type Listening, type ListenOptions } from "../../../core/server/listen.ts";
import { memoryLog, messageOf, TcpClient, UdpClient } from "./sockets.ts";

async function open(more: Partial<ListenOptions> = {}) {
  const clock = new ManualClock();
  const log = memoryLog();
  const listening = await listen({
    hosts: [],
    port: 0,
    exchange: (octets) => octets,
    clock,
    log,
    interfaces: () => [],
    ...more,
  });
  return { listening, clock, log, [Symbol.asyncDispose]: () => listening.close() };
}

function addressesOf({ endpoints }: Listening): string[] {
  return endpoints.map(({ address }) => formatAddress(address));
}

Deno.test("listen() answers over UDP and TCP at one port of every host", async () => {
  await using server = await open({ hosts: ["127.0.0.1", "127.0.53.77", "::1"] });
  const { listening } = server;
  assert.ok(listening.port > 0);
  assert.deepEqual(addressesOf(listening), ["127.0.0.1", "127.0.53.77", "::1"]);
  for (const endpoint of listening.endpoints) {
    assert.equal(endpoint.port, listening.port);
    using udp = new UdpClient(endpoint.address.family === 4 ? "127.0.0.1" : "::1");
    await udp.send(messageOf(1), endpoint);
    assert.equal((await udp.receive()).from.hostname, formatAddress(endpoint.address));
    using tcp = await TcpClient.connect(endpoint);
    await tcp.ask(messageOf(2));
    assert.deepEqual(await tcp.receive(), messageOf(2));
  }
});

Deno.test("listen() without hosts follows the addresses of the machine", async () => {
  let interfaces: Interface[] = [{ name: "lo", address: "127.0.0.1" }, { name: "lo", address: "127.0.53.1" }];
  await using server = await open({ interfaces: () => interfaces });
  const { listening, clock, log } = server;
  assert.deepEqual(addressesOf(listening), ["127.0.0.1", "127.0.53.1"]);
  interfaces = [{ name: "lo", address: "127.0.0.1" }, { name: "dummy0", address: "127.0.53.2" }];
  clock.advance(29_999);
  assert.deepEqual(addressesOf(listening), ["127.0.0.1", "127.0.53.1"]);
  clock.advance(1);
  assert.deepEqual(addressesOf(listening), ["127.0.0.1", "127.0.53.2"]);
  assert.deepEqual(log.lines, [
    `info no longer listening on 127.0.53.1 port ${listening.port}: the address has gone`,
    `info listening on 127.0.53.2 port ${listening.port}`,
  ]);
  using udp = new UdpClient();
  await udp.send(messageOf(1), { address: parseAddress("127.0.53.2")!, port: listening.port });
  await udp.receive();
});

Deno.test("listen() goes on without an address that cannot be had yet, warns once, and tries again", async () => {
  await using server = await open({ hosts: ["192.0.2.1", "127.0.0.1", "eth9"] });
  const { listening, clock, log } = server;
  assert.deepEqual(addressesOf(listening), ["127.0.0.1"]);
  assert.equal(log.lines.length, 2);
  assert.match(
    log.lines[0]!,
    /^warn Cannot listen on 192\.0\.2\.1 port \d+ \(udp\): no interface has this address/,
  );
  assert.match(log.lines[1]!, /^warn Cannot listen on eth9: it is no address, and no interface/);
  clock.advance(90_000);
  assert.equal(log.lines.length, 2);
});

Deno.test("listen() fails when there is nowhere to listen", async () => {
  await assert.rejects(open({ hosts: ["192.0.2.1"] }), /Cannot listen on 192\.0\.2\.1 port 0 \(udp\)/);
  await assert.rejects(open({ hosts: ["eth9"] }), /Cannot listen on eth9: no address of this machine/);
  await assert.rejects(open(), /the machine has no address/);
});

Deno.test("listen() says what to do about a port that is taken, and keeps no socket", async () => {
  await using other = await open({ hosts: ["127.0.53.3"] });
  const { port } = other.listening;
  await assert.rejects(
    open({ hosts: ["127.0.53.2", "127.0.53.3"], port }),
    {
      name: "ListenError",
      message: `Cannot listen on 127.0.53.3 port ${port} (udp): another program has it; stop that one ` +
        `(\`ss -lnup 'sport = :${port}'\` shows it), or choose another port: in the key, or by -dns.port for keys that name none`,
    },
  );
  await using again = await open({ hosts: ["127.0.53.2"], port });
  assert.equal(again.listening.port, port);
});

Deno.test("listen() says so when the port is taken for TCP alone", async () => {
  using holder = Deno.listen({ hostname: "127.0.53.4", port: 0 });
  const { port } = holder.addr;
  await assert.rejects(open({ hosts: ["127.0.53.4"], port }), /port \d+ \(tcp\): another program has it/);
});

Deno.test("listen() at port 0 tries another port where a host has the first one taken", async () => {
  const tried: unknown[] = [];
  const listenDatagram = Deno.listenDatagram;
  (Deno as any).listenDatagram = (options: Deno.UdpListenOptions & { transport: "udp" }) => {
    tried.push(options.port);
    if (tried.length === 2) throw new Deno.errors.AddrInUse("Address already in use");
    return listenDatagram(options);
  };
  try {
    await using server = await open({ hosts: ["127.0.53.5", "127.0.53.6"] });
    const { endpoints, port } = server.listening;
    assert.deepEqual(endpoints.map((endpoint) => endpoint.port), [port, port]);
    assert.deepEqual([tried[0], tried[2], tried[3]], [0, 0, port]);
  } finally {
    (Deno as any).listenDatagram = listenDatagram;
  }
});

Deno.test("listen() at port 0 tells of an address that cannot be had once, however many ports it tries", async () => {
  // The first port that is free for UDP is taken for TCP.
  const listenTcp = Deno.listen;
  let tries = 0;
  (Deno as any).listen = (options: Deno.TcpListenOptions) => {
    if (++tries === 1) throw new Deno.errors.AddrInUse("Address already in use");
    return listenTcp(options);
  };
  try {
    await using server = await open({ hosts: ["192.0.2.1", "127.0.53.8"] });
    assert.equal(tries, 2);
    assert.equal(server.log.lines.length, 1, server.log.lines.join("\n"));
  } finally {
    (Deno as any).listen = listenTcp;
  }
});

Deno.test("close() lets go of every socket and stops looking for addresses", async () => {
  const { listening, clock } = await open({ hosts: ["127.0.53.7"] });
  const { port } = listening;
  await listening.close();
  clock.advance(60_000);
  await using again = await open({ hosts: ["127.0.53.7"], port });
  assert.equal(again.listening.port, port);
});
