import assert from "node:assert/strict";
import { parseAddress } from "../../../../core/net/address.ts";
import { openBatchSockets } from "../../../../core/server/batch/mod.ts";
import { PlaneSocket } from "../../../../core/server/data_plane/plane_socket.ts";
import { isEmpty, libC, share, spread } from "../../../../core/server/socket_options.ts";
import { until } from "../../../support/until.ts";

const SOL_SOCKET = 1, SO_REUSEPORT = 15, SK_MEMINFO_RMEM_ALLOC = 0, SO_MEMINFO = 55;

/** Sockets of one address and port, as data workers have them. */
function openGroup(address: string, count: number, port = 0, takesOver = false): PlaneSocket[] {
  const sockets = openBatchSockets({ address: parseAddress(address)!, port, takesOver }, count);
  if (count > 1) assert.ok(spread(sockets.map(({ fd }) => fd), address.includes(":") ? 6 : 4));
  return sockets.map((socket, i) => new PlaneSocket(socket, i, count));
}

/** How many octets of the kernel's memory hold what waits. */
function waiting({ descriptor }: PlaneSocket): number {
  const info = new Uint32Array(9);
  libC()!.getsockopt(descriptor, SOL_SOCKET, SO_MEMINFO, new Uint8Array(info.buffer), new Uint32Array([36]));
  return info[SK_MEMINFO_RMEM_ALLOC]!;
}

/** Sends as many datagrams, each from a port of its own and with an even message ID. */
async function send(to: PlaneSocket, count: number): Promise<void> {
  const { address: { family, octets }, port } = to.endpoint;
  const hostname = family === 4 ? octets.join(".") : "::1";
  for (let id = 0; id < count; id++) {
    const socket = Deno.listenDatagram({ transport: "udp", hostname, port: 0 });
    await socket.send(Uint8Array.of(0, 2 * id, 0, 0), { transport: "udp", hostname, port });
    socket.close();
  }
}

for (const address of ["127.0.0.1", "::1"]) {
  Deno.test(`the kernel spreads datagrams among the sockets of ${address}, and gives none to a stranger's`, async () => {
    const group = openGroup(address, 3);
    const port = group[0]!.endpoint.port;
    // Python, because the runtime cannot ask for this, and our own code does not.
    const family = address.includes(":") ? "AF_INET6" : "AF_INET";
    const program = `import socket, sys
s = socket.socket(socket.${family}, socket.SOCK_DGRAM)
s.setsockopt(socket.SOL_SOCKET, ${SO_REUSEPORT}, 1)
s.bind(("${address}", ${port}))
print("bound", flush=True)
sys.stdin.readline()
s.setblocking(False)
try:
    s.recv(1)
    print("something")
except BlockingIOError:
    print("nothing")
`;
    const stranger = new Deno.Command("python3", { args: ["-c", program], stdin: "piped", stdout: "piped" })
      .spawn();
    let said = "";
    const reading = (async () => {
      for await (const text of stranger.stdout.pipeThrough(new TextDecoderStream())) said += text;
    })();
    try {
      await until("the stranger", () => said.includes("bound"));
      await send(group[0]!, 60);
      await until("each to have some", () => group.every((socket) => waiting(socket) > 0));
    } finally {
      await stranger.stdin.close();
      await stranger.status;
      await reading;
      for (const socket of group) socket.close();
    }
    assert.match(said, /nothing/);
  });

  Deno.test(`a group that takes over from another one of ${address} gets everything`, async () => {
    const old = openGroup(address, 2), port = old[0]!.endpoint.port;
    assert.throws(() => openGroup(address, 2, port), Deno.errors.AddrInUse);
    assert.throws(() => openGroup(address, 2, port, true), Deno.errors.AddrInUse);
    assert.ok(share(new Set([port]), true));
    const next = openGroup(address, 3, port, true);
    await send(next[0]!, 60);
    await until("each to have some", () => next.every(({ isEmpty }) => !isEmpty));
    assert.deepEqual(old.map(({ isEmpty }) => isEmpty), [true, true]);
    for (const socket of old) socket.close();
    share(new Set([port]), false);
    assert.throws(() => openGroup(address, 1, port, true), Deno.errors.AddrInUse);
    for (const socket of next) socket.close();
  });
}

Deno.test("a socket that is closed sends nothing, and has nothing", () => {
  const [socket] = openGroup("127.0.0.1", 1);
  assert.equal(isEmpty(socket!.descriptor), true);
  assert.ok(socket!.send(Uint8Array.of(1), socket!.endpoint));
  assert.equal(socket!.isEmpty, false);
  socket!.close();
  assert.equal(socket!.send(Uint8Array.of(1), socket!.endpoint), false);
  assert.equal(socket!.isEmpty, true);
  assert.equal(socket!.takeDropped(), 0);
});

Deno.test("takeDropped() says how many datagrams found no room since it was asked before", async () => {
  const [socket] = openBatchSockets({ address: parseAddress("127.0.0.1")!, port: 0, bufferOctets: 4096 }, 1)
    .map((socket) => new PlaneSocket(socket, 0, 1));
  await send(socket!, 100);
  const dropped = socket!.takeDropped();
  assert.ok(dropped > 0 && dropped < 100, `${dropped}`);
  assert.equal(socket!.takeDropped(), 0);
  socket!.close();
});
