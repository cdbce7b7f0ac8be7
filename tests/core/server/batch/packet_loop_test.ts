import assert from "node:assert/strict";
import fc from "fast-check";
import { parseAddress } from "../../../../core/net/address.ts";
import type { Endpoint } from "../../../../core/server/arrival.ts";
import {
  BATCH_MAX,
  type BatchSocket,
  closeSocket,
  droppedByKernel,
  openBatchSocket,
  PacketLoop,
  sendTo,
} from "../../../../core/server/batch/mod.ts";
import {
  type InPlace,
  LATER,
  type PacketSource,
  SILENT,
  SLOT_OCTETS,
} from "../../../../core/server/in_place.ts";
import { sendFromPortZero } from "../raw_socket.ts";
import { idOf, messageOf, UdpClient } from "../sockets.ts";
import { type Echo, ignore, noting, openEcho, sourceText } from "./echo.ts";

function test(name: string, fn: () => void | Promise<void>, isIgnored = ignore): void {
  Deno.test({ name: `PacketLoop ${name}`, ignore: isIgnored, fn });
}

function at(text: string, { socket }: Pick<Echo, "socket">): Endpoint {
  return { address: parseAddress(text)!, port: socket.endpoint.port };
}

/** Steps until so many datagrams have been received; what comes over loopback is there as soon as it is sent. */
function stepUntil({ loop }: Pick<Echo, "loop">, received: number): void {
  for (let idle = 0; loop.counts.received < received && idle < 5;) if (!loop.step()) idle++;
}

for (
  const [bound, isDualStack, asked] of [
    ["127.0.0.1", false, ["127.0.0.1"]],
    ["::1", false, ["::1"]],
    ["0.0.0.0", false, ["127.0.0.1", "127.0.0.2", "127.3.2.1", "127.0.0.1"]],
    ["::", false, ["::1"]],
    ["::", true, ["127.0.0.2", "::1", "127.0.0.1", "::1", "127.0.0.2"]],
  ] as const
) {
  test(`answers from the address asked, bound to ${bound}${isDualStack ? " for both families" : ""}`, async () => {
    using echo = openEcho(bound, { isDualStack });
    for (const text of asked) {
      using client = new UdpClient(text.includes(":") ? "::1" : "127.0.0.1");
      await client.send(messageOf(5, 33), at(text, echo));
      echo.loop.step();
      const { octets, from } = await client.receive();
      assert.deepEqual(octets, messageOf(5, 33));
      assert.equal(from.hostname, text);
      assert.equal(from.port, echo.socket.endpoint.port);
      const { source, server } = echo.came.at(-1)!;
      assert.equal(source, `${text.includes(":") ? "::1" : "127.0.0.1"} ${client.port}`);
      assert.equal(server, `${text} ${from.port}`);
    }
  });
}

test("dozes until something comes, on one socket or more, and leaves it to the next step", async () => {
  using one = openEcho("127.0.0.1");
  using other = openEcho("127.0.0.1");
  const both = new PacketLoop({ sockets: [one.socket, other.socket], inPlace: noting([]), nowMs: () => 0 });
  for (const loop of [one.loop, both]) {
    assert.equal(loop.doze(1), false);
    using client = new UdpClient();
    await client.send(messageOf(7), at("127.0.0.1", one));
    assert.equal(loop.doze(60_000), true);
    assert.equal(loop.counts.received, 0);
    assert.equal(loop.step(), true);
    assert.deepEqual((await client.receive()).octets, messageOf(7));
    assert.equal(loop.doze(1), false);
  }
});

test("opens no descriptor of its own: an isolate that is ended from outside could not close it", async () => {
  // In this process other tests open and close theirs.
  const program = new URL("./descriptors.ts", import.meta.url).pathname;
  const args = ["run", "-A", "--no-check", program];
  const { stdout, stderr } = await new Deno.Command(Deno.execPath(), { args, env: { NO_COLOR: "1" } })
    .output();
  const text = new TextDecoder();
  assert.equal(text.decode(stdout).trim(), "2", text.decode(stderr));
});

test("hands out one object for each address asked", async () => {
  const servers: Endpoint[] = [];
  using echo = openEcho("::", {
    isDualStack: true,
    reply: (length, _octets, { server }) => (servers.push(server), length),
  });
  using client = new UdpClient();
  for (const text of ["127.0.0.1", "127.0.0.2", "127.0.0.1"]) {
    await client.send(messageOf(1), at(text, echo));
    echo.loop.step();
  }
  assert.equal(servers[0], servers[2]);
  assert.notEqual(servers[0], servers[1]);
});

test("answers many sources in few calls, each what it asked", async () => {
  using echo = openEcho("127.0.0.1");
  const clients = Array.from({ length: 40 }, () => new UdpClient());
  try {
    for (let id = 0; id < 5; id++) {
      for (const [i, client] of clients.entries()) {
        await client.send(messageOf(id * 100 + i, 20 + i), at("127.0.0.1", echo));
      }
    }
    stepUntil(echo, 200);
    assert.equal(echo.loop.counts.received, 200);
    assert.equal(echo.loop.counts.sent, 200);
    assert.ok(echo.loop.counts.batches < 20, `${echo.loop.counts.batches} batches`);
    for (let id = 0; id < 5; id++) {
      for (const [i, client] of clients.entries()) {
        assert.deepEqual((await client.receive()).octets, messageOf(id * 100 + i, 20 + i));
      }
    }
  } finally {
    for (const client of clients) client[Symbol.dispose]();
  }
});

test("sends what is answered though others of the batch are not", async () => {
  const reply = (length: number, octets: Uint8Array) => {
    const id = idOf(octets);
    if (id === 40) throw new Error("a bug");
    if (id === 41) return SLOT_OCTETS + 1;
    return id % 3 === 0 ? SILENT : id % 3 === 1 ? LATER : length - (id % 5);
  };
  const faults: string[] = [];
  const fault = (kind: string, error: unknown) => void faults.push(`${kind}: ${(error as Error).message}`);
  using echo = openEcho("0.0.0.0", { reply, fault });
  using client = new UdpClient();
  // Thrice, as the headers must be as they were after each time.
  for (let round = 0; round < 3; round++) {
    for (let id = 0; id < 60; id++) await client.send(messageOf(id, 30), at("127.0.0.2", echo));
    stepUntil(echo, 60 * (round + 1));
    for (let id = 2; id < 60; id += 3) {
      if (id === 41) continue;
      const { octets, from } = await client.receive();
      assert.deepEqual(octets, messageOf(id, 30).subarray(0, 30 - (id % 5)));
      assert.equal(from.hostname, "127.0.0.2");
    }
    assert.equal(echo.loop.counts.sent, 19 * (round + 1));
  }
  assert.deepEqual(faults.slice(0, 2), [
    "answer: a bug",
    "answer: A reply of 4097 octets lies beyond its slot",
  ]);
  assert.equal(echo.loop.counts.faults, 6);
});

test("has packets that came together read before the first of them is answered, each once", async () => {
  const seen: string[] = [], octets = new Uint8Array(BATCH_MAX * SLOT_OCTETS);
  let gains = true;
  const see = (what: string, at: number, length: number, source: PacketSource) =>
    void seen.push(`${what} ${at} ${length} ${idOf(octets.subarray(at))} ${sourceText(source)}`);
  const inPlace: InPlace = {
    octets,
    get readsAhead() {
      return gains;
    },
    read: (at, length, source) => see("read", at, length, source),
    answer: (at, length, source) => (see("answer", at, length, source), length),
  };
  const socket = openBatchSocket({ address: parseAddress("127.0.0.1")!, port: 0 });
  const loop = new PacketLoop({ sockets: [socket], inPlace, nowMs: () => 0 });
  try {
    using client = new UdpClient();
    for (const count of [6, 1, 8, 0, 7]) {
      // From then on there is nothing to gain.
      if (count === 0) gains = false;
      for (let id = 0; id < count; id++) {
        await client.send(messageOf(id, 20 + id), at("127.0.0.1", { socket }));
      }
      loop.step();
      for (let id = 0; id < count; id++) await client.receive();
      const answered = seen.filter((one) => one.startsWith("answer"));
      const read: string[] = gains && count > 1 ? answered.map((one) => one.replace("answer", "read")) : [];
      assert.equal(answered.length, count);
      assert.deepEqual(seen.splice(0), [...read, ...answered]);
    }
  } finally {
    closeSocket(socket);
  }
});

test("answers datagrams of every length that fits, and cuts the others", async () => {
  using echo = openEcho("127.0.0.1");
  using client = new UdpClient();
  let sent = 0, cut = 0;
  const lengths = fc.array(fc.oneof(fc.integer({ min: 0, max: 64 }), fc.integer({ min: 0, max: 9000 })), {
    minLength: 1,
    maxLength: 30,
  });
  await fc.assert(
    fc.asyncProperty(lengths, async (lengths) => {
      for (const length of lengths) {
        await client.send(new Uint8Array(length).fill(length), at("127.0.0.1", echo));
      }
      stepUntil(echo, sent += lengths.length);
      cut += lengths.filter((length) => length > SLOT_OCTETS).length;
      for (const length of lengths.filter((length) => length > 0)) {
        const { octets } = await client.receive();
        assert.equal(octets.length, Math.min(length, SLOT_OCTETS));
        assert.ok(octets.every((octet) => octet === (length & 0xff)));
      }
      assert.equal(echo.loop.counts.truncated, cut);
    }),
    { numRuns: 40, seed: 5 },
  );
});

test("sends the other replies when the kernel refuses one", async () => {
  const faults: string[] = [];
  const { socket } = { socket: openBatchSocket({ address: parseAddress("127.0.0.1")!, port: 0 }) };
  const came: Echo["came"] = [];
  const inPlace = noting(came);
  // The name of the second is made one of another family, to which no datagram can be sent from here.
  const loop = new PacketLoop({
    sockets: [socket],
    inPlace,
    nowMs: () => 0,
    fault: (kind, error) => void faults.push(`${kind}: ${(error as Error).message}`),
    beforeBatch: () => namesOf(loop).setUint16(32, 99, true),
  });
  using client = new UdpClient();
  for (let id = 0; id < 4; id++) await client.send(messageOf(id), at("127.0.0.1", { socket }));
  loop.step();
  for (const id of [0, 2, 3]) assert.equal(idOf((await client.receive()).octets), id);
  assert.deepEqual(faults, ["send: sendmmsg(): the address family is not supported (os error 97)"]);
  assert.deepEqual({ ...loop.counts }, {
    ...{ received: 4, sent: 3, batches: 1, truncated: 0 },
    ...{ fromPortZero: 0, unaddressed: 0, unsent: 1, faults: 0 },
  });
  closeSocket(socket);
});

/** The names that a loop has received. */
function namesOf(loop: PacketLoop): DataView {
  return loop.vector.names;
}

const isRoot = !ignore && Deno.uid() === 0;

test("answers nobody at port 0", async () => {
  using echo = openEcho("127.0.0.1");
  using client = new UdpClient();
  sendFromPortZero(messageOf(1), echo.socket.endpoint.port);
  await client.send(messageOf(2), at("127.0.0.1", echo));
  stepUntil(echo, 2);
  assert.equal(idOf((await client.receive()).octets), 2);
  assert.equal(echo.loop.counts.fromPortZero, 1);
  assert.equal(echo.came.length, 1);
}, !isRoot);

test("serves several sockets, and waits for none where it may not", async () => {
  const sockets = ["127.0.0.1", "127.0.0.2", "::", "0.0.0.0", "0.0.0.0"].map((text) =>
    openBatchSocket({ address: parseAddress(text)!, port: 0 })
  );
  const came: Echo["came"] = [];
  const loop = new PacketLoop({ sockets, inPlace: noting(came), nowMs: () => 0 });
  try {
    for (const [i, text] of ["127.0.0.1", "127.0.0.2", "::1", "127.0.0.9", "127.0.0.9"].entries()) {
      using client = new UdpClient(text.includes(":") ? "::1" : "127.0.0.1");
      await client.send(messageOf(i), at(text, { socket: sockets[i]! }));
      assert.equal(loop.step(), true);
      assert.equal((await client.receive()).from.hostname, text);
      assert.equal(came.at(-1)!.server, `${text} ${sockets[i]!.endpoint.port}`);
      assert.equal(came.at(-1)!.source, `${text.includes(":") ? "::1" : "127.0.0.1"} ${client.port}`);
    }
    assert.equal(loop.stepAtOnce(), false);
  } finally {
    for (const socket of sockets) closeSocket(socket);
  }
});

test("asks what has changed when a batch has come, before it answers", async () => {
  const order: string[] = [];
  using echo = openEcho("127.0.0.1", {
    beforeBatch: () => void order.push("look"),
    reply: (length) => (order.push("answer"), length),
  });
  using client = new UdpClient();
  echo.loop.step();
  await client.send(messageOf(1), at("127.0.0.1", echo));
  await client.send(messageOf(2), at("127.0.0.1", echo));
  stepUntil(echo, 2);
  assert.deepEqual(order, ["look", "answer", "answer"]);
});

test("ends loudly when its socket is gone", () => {
  const echo = openEcho("127.0.0.1");
  echo[Symbol.dispose]();
  assert.throws(() => echo.loop.step(), /descriptor is closed/);
  return Promise.resolve();
});

Deno.test({
  name: "sendTo() sends from the address that was asked",
  ignore,
  async fn() {
    for (
      const [bound, isDualStack, from] of [
        ["127.0.0.1", false, "127.0.0.1"],
        ["0.0.0.0", false, "127.0.0.2"],
        ["::", true, "127.0.0.2"],
        ["::", true, "::1"],
      ] as const
    ) {
      const socket = openBatchSocket({ address: parseAddress(bound)!, port: 0, isDualStack });
      const hostname = from.includes(":") ? "::1" : "127.0.0.1";
      using client = new UdpClient(hostname);
      const to = { address: parseAddress(hostname)!, port: client.port };
      assert.equal(sendTo(socket, messageOf(9, 4000), to, at(from, { socket })), true);
      const reply = await client.receive();
      assert.deepEqual(reply.octets, messageOf(9, 4000));
      assert.equal(reply.from.hostname, from);
      closeSocket(socket);
    }
  },
});

Deno.test({
  name: "droppedByKernel() counts what found no room",
  ignore,
  async fn() {
    const options = { address: parseAddress("127.0.0.1")!, port: 0, bufferOctets: 4096 };
    const socket: BatchSocket = openBatchSocket(options);
    using client = new UdpClient();
    assert.equal(droppedByKernel(socket), 0);
    for (let id = 0; id < 100; id++) await client.send(messageOf(id, 900), socket.endpoint);
    const loop = new PacketLoop({ sockets: [socket], inPlace: noting([]), nowMs: () => 0 });
    while (loop.step());
    assert.ok(loop.counts.received < 100 && loop.counts.received > 0);
    assert.equal(droppedByKernel(socket), 100 - loop.counts.received);
    closeSocket(socket);
  },
});

Deno.test({
  name: "PacketLoop wants a slot for every datagram of a batch",
  ignore,
  fn() {
    const socket = openBatchSocket({ address: parseAddress("127.0.0.1")!, port: 0 });
    const inPlace = { octets: new Uint8Array(BATCH_MAX * SLOT_OCTETS - 1), answer: () => 0 };
    assert.throws(() => new PacketLoop({ sockets: [socket], inPlace, nowMs: () => 0 }), RangeError);
    closeSocket(socket);
  },
});
