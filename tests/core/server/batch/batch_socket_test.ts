import assert from "node:assert/strict";
import { parseAddress } from "../../../../core/net/address.ts";
import {
  closeSocket,
  openBatchSocket,
  openBatchSockets,
  PacketLoop,
} from "../../../../core/server/batch/mod.ts";
import { share } from "../../../../core/server/socket_options.ts";
import { messageOf, UdpClient } from "../sockets.ts";
import { ignore, noting } from "./echo.ts";

const LOOPBACK = parseAddress("127.0.0.1")!;

function test(name: string, fn: () => void | Promise<void>): void {
  Deno.test({ name, ignore, fn });
}

test("openBatchSocket() finds a port taken by whoever has it", () => {
  using owner = new UdpClient();
  assert.throws(
    () => openBatchSocket({ address: LOOPBACK, port: owner.port }),
    (error) =>
      error instanceof Deno.errors.AddrInUse && error.message.includes("bind(): the address is in use"),
  );
  const group = openBatchSockets({ address: LOOPBACK, port: 0 }, 2);
  // They share among themselves, not with a server that was started twice.
  assert.throws(
    () => openBatchSockets({ address: LOOPBACK, port: group[0]!.endpoint.port }, 2),
    Deno.errors.AddrInUse,
  );
  for (const socket of group) closeSocket(socket);
});

test("openBatchSocket() says when there is no such address or interface", () => {
  const elsewhere = { address: parseAddress("192.0.2.1")!, port: 0 };
  assert.throws(() => openBatchSocket(elsewhere), Deno.errors.AddrNotAvailable);
  const zoned = { address: parseAddress("fe80::1")!, port: 0, zone: "nowhere0" };
  assert.throws(() => openBatchSocket(zoned), /no interface is named nowhere0/);
});

test("closeSocket() frees the port", () => {
  const socket = openBatchSocket({ address: LOOPBACK, port: 0 });
  const { port } = socket.endpoint;
  closeSocket(socket);
  closeSocket(openBatchSocket({ address: LOOPBACK, port }));
});

/** Asks from many ports. @returns How many queries came to each of the sockets. */
async function spread(sockets: ReturnType<typeof openBatchSockets>, clients: number): Promise<number[]> {
  for (let id = 0; id < clients; id++) {
    using client = new UdpClient();
    await client.send(messageOf(id), sockets[0]!.endpoint);
  }
  return sockets.map((socket) => {
    const loop = new PacketLoop({ sockets: [socket], inPlace: noting([]), nowMs: () => 0 });
    while (loop.step());
    return loop.counts.received;
  });
}

test("openBatchSockets() has the kernel spread clients among the sockets", async () => {
  const sockets = openBatchSockets({ address: LOOPBACK, port: 0 }, 3);
  const received = await spread(sockets, 90);
  assert.equal(received.reduce((sum, count) => sum + count), 90);
  assert.ok(received.every((count) => count > 5), `${received}`);
  for (const socket of sockets) closeSocket(socket);
});

test("openBatchSockets() takes over a port from those who share it", async () => {
  const old = openBatchSockets({ address: LOOPBACK, port: 0 }, 2);
  const { port } = old[0]!.endpoint;
  assert.throws(
    () => openBatchSockets({ address: LOOPBACK, port, takesOver: true }, 2),
    Deno.errors.AddrInUse,
  );
  assert.equal(share(new Set([port]), true), true);
  const fresh = openBatchSockets({ address: LOOPBACK, port, takesOver: true }, 2);
  const received = await spread([...fresh, ...old], 60);
  assert.deepEqual(received.slice(2), [0, 0]);
  assert.ok(received[0]! > 5 && received[1]! > 5, `${received}`);
  assert.equal(received[0]! + received[1]!, 60);
  for (const socket of [...fresh, ...old]) closeSocket(socket);
});

/** What a program with these permissions makes of selfTest(). */
async function selfTestWith(...permissions: string[]): Promise<string> {
  const module = new URL("../../../../core/server/batch/mod.ts", import.meta.url);
  const program = new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-check", "--no-prompt", ...permissions, "-"],
    stdin: "piped",
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const input = program.stdin.getWriter();
  await input.write(
    new TextEncoder().encode(
      `import { selfTest } from ${JSON.stringify(module)}; console.log(selfTest() ?? "works");`,
    ),
  );
  await input.close();
  const { stdout } = await program.output();
  return new TextDecoder().decode(stdout).trim();
}

test("selfTest() needs leave to call the C library by its path, and no more", async () => {
  const path = `/lib/${Deno.build.arch}-linux-gnu/libc.so.6`;
  assert.equal(await selfTestWith(`--allow-ffi=${path}`), "works");
  assert.equal(await selfTestWith(), `not permitted: it takes --allow-ffi=${path}`);
});
