import assert from "node:assert/strict";
import { askControl, type ControlHandlers, serveControl } from "../../../core/server/control_socket.ts";
import { ManualClock } from "../../../core/clock.ts";
import { until } from "./sockets.ts";

const handlers: ControlHandlers = {
  status: () => ({ epoch: 7 }),
  echo: (params) => params,
  wait: () => new Promise(() => {}),
  fail: () => {
    throw new RangeError("no such node: fra9");
  },
  nothing: () => undefined,
  strange: () => 7n,
};

async function inDirectory(test: (path: string) => Promise<void>): Promise<void> {
  const directory = await Deno.makeTempDir();
  try {
    await test(`${directory}/control.sock`);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

/** Sends raw text and reads until the server closes. */
async function exchangeText(path: string, text: string): Promise<string[]> {
  using socket = await Deno.connect({ transport: "unix", path });
  await socket.write(new TextEncoder().encode(text)).catch(() => {});
  await socket.closeWrite().catch(() => {});
  let reply = "";
  const buffer = new Uint8Array(65_536);
  for (let count; (count = await socket.read(buffer).catch(() => null)) !== null;) {
    reply += new TextDecoder().decode(buffer.subarray(0, count));
  }
  return reply.split("\n").filter((line) => line !== "");
}

Deno.test("askControl() gets a handler's result, or its error as a value", async () => {
  await inDirectory(async (path) => {
    const server = await serveControl(path, handlers);
    const params = { text: "a\nb ü", list: [1, null, { deep: true }] };
    assert.deepEqual(await askControl(path, "status"), { result: { epoch: 7 } });
    assert.deepEqual(await askControl(path, "echo", params), { result: params });
    assert.deepEqual(await askControl(path, "nothing"), { result: null });
    assert.deepEqual(await askControl(path, "fail"), { error: "no such node: fra9" });
    assert.deepEqual(await askControl(path, "statsu"), {
      error: 'Unknown command "statsu"; did you mean "status"?',
    });
    assert.deepEqual(await askControl(path, "toString"), { error: 'Unknown command "toString"' });
    assert.ok("error" in await askControl(path, "strange"));
    await server.close();
  });
});

Deno.test("askControl() carries a reply of megabytes", async () => {
  await inDirectory(async (path) => {
    const large = "x".repeat(3_000_000);
    const server = await serveControl(path, { large: () => large });
    assert.deepEqual(await askControl(path, "large"), { result: large });
    assert.match(
      (await askControl(path, "large", {}, { lineOctetsMax: 1000 }) as { error: string }).error,
      /at most 1000 octets/,
    );
    await server.close();
  });
});

Deno.test("askControl() says so when no server is there", async () => {
  await inDirectory(async (path) => {
    const reply = await askControl(path, "status") as { error: string };
    assert.match(reply.error, /^Cannot reach a server at .*control\.sock: .*; is it running\?$/);
  });
});

Deno.test("askControl() waits no longer than it was told", async () => {
  await inDirectory(async (path) => {
    const server = await serveControl(path, handlers);
    const reply = await askControl(path, "wait", {}, { timeoutMs: 20 }) as { error: string };
    assert.match(reply.error, /no answer within 20 ms/);
    await server.close();
  });
});

Deno.test("serveControl() answers for a handler that does not come back", async () => {
  await inDirectory(async (path) => {
    const clock = new ManualClock();
    let asked = false;
    const wait = () => new Promise(() => asked = true);
    const server = await serveControl(path, { wait }, { clock, timeoutMs: 5000 });
    const reply = askControl(path, "wait");
    await until(() => asked, "the handler runs");
    clock.advance(5000);
    assert.deepEqual(await reply, { error: "The server was not done within 5000 ms" });
    await server.close();
  });
});

Deno.test("serveControl() answers every line of a connection, wrong ones too", async () => {
  await inDirectory(async (path) => {
    const server = await serveControl(path, handlers);
    const lines = await exchangeText(
      path,
      '{"command":"status"}\n{nonsense\n"status"\n{"command":"status"}\n',
    );
    assert.equal(lines.length, 4);
    assert.equal(lines[0], '{"result":{"epoch":7}}');
    assert.match(lines[1]!, /Cannot read the request as JSON/);
    assert.match(lines[2]!, /must be an object with a \\"command\\"/);
    assert.equal(lines[3], lines[0]);
    await server.close();
  });
});

Deno.test("serveControl() ends a connection whose line is too long", async () => {
  await inDirectory(async (path) => {
    const server = await serveControl(path, handlers, { lineOctetsMax: 100 });
    const lines = await exchangeText(path, "x".repeat(500));
    assert.deepEqual(lines, ['{"error":"A line must have at most 100 octets"}']);
    assert.deepEqual(await askControl(path, "status"), { result: { epoch: 7 } });
    await server.close();
  });
});

Deno.test("serveControl() ends a connection on which nothing is asked", async () => {
  await inDirectory(async (path) => {
    const clock = new ManualClock();
    const server = await serveControl(path, handlers, { clock });
    using socket = await Deno.connect({ transport: "unix", path });
    await socket.write(new TextEncoder().encode('{"command":"status"}\n{"comm'));
    await socket.read(new Uint8Array(1000));
    clock.advance(30_000);
    assert.equal(await socket.read(new Uint8Array(1000)), null);
    await server.close();
  });
});

Deno.test("serveControl() opens its file for the user alone and removes it", async () => {
  await inDirectory(async (path) => {
    const server = await serveControl(path, handlers);
    assert.equal((await Deno.stat(path)).mode! & 0o777, 0o600);
    await server.close();
    await assert.rejects(Deno.stat(path), Deno.errors.NotFound);
  });
});

Deno.test("serveControl() makes the directory, for the user alone", async () => {
  await inDirectory(async (path) => {
    const directory = path.replace("control.sock", "state/deep");
    const server = await serveControl(`${directory}/control.sock`, handlers);
    assert.equal((await Deno.stat(directory)).mode! & 0o777, 0o700);
    await server.close();
  });
});

Deno.test("serveControl() replaces a socket that nobody answers, and no other file", async () => {
  await inDirectory(async (path) => {
    const stale = new Deno.Command(Deno.execPath(), {
      args: ["eval", `Deno.listen({ transport: "unix", path: ${JSON.stringify(path)} }); Deno.exit();`],
    });
    await stale.output();
    assert.ok((await Deno.lstat(path)).isSocket);
    const server = await serveControl(path, handlers);
    await assert.rejects(serveControl(path, handlers), /a server that is running has it/);
    assert.deepEqual(await askControl(path, "status"), { result: { epoch: 7 } });
    await server.close();
    await Deno.writeTextFile(path, "precious");
    await assert.rejects(serveControl(path, handlers), /a file is there that is no socket/);
    assert.equal(await Deno.readTextFile(path), "precious");
  });
});

Deno.test("serveControl() says so when the path is too long for a socket", async () => {
  await inDirectory(async (path) => {
    await assert.rejects(serveControl(path + "x".repeat(120), handlers), /at most 107 octets/);
  });
});
