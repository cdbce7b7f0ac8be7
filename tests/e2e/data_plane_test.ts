/** Data workers that fail, and a control isolate that is busy: what is asked meanwhile is answered all the same. */

import assert from "node:assert/strict";
import { decodeMessage } from "../../core/dns/message.ts";
import { RCODE } from "../../core/dns/types.ts";
import { askControl } from "../../core/server/control_socket.ts";
import type { Status } from "../../core/command/status.ts";
import { ServeProcess, withFolder } from "../command/meridian.ts";
import { askRaw } from "../support/raw_udp.ts";
import { askServer, encodeQuery, freePort, startServer, type TestServer } from "../support/server.ts";
import { until } from "../support/until.ts";

const WHOAMI = `.:1053 {
    bind 127.0.0.1
    whoami
}
`;

/** As long as it may take to find out that a worker hangs, and more. */
const PATIENCE_MS = 60_000;

function unrulyWorker(): Worker {
  return new Worker(new URL("data_plane/unruly_worker.ts", import.meta.url), { type: "module" });
}

async function withWorkers(workers: number, body: (server: TestServer) => Promise<void>): Promise<void> {
  const server = await startServer(WHOAMI, { workers, makeWorker: unrulyWorker });
  try {
    await body(server);
  } finally {
    await server.server.close();
  }
}

/** Asks from as many ports, all at once. @returns How many were answered. */
async function askFromMany(port: number, ports: number, timeoutMs = PATIENCE_MS): Promise<number> {
  const asked = Array.from(
    { length: ports },
    () =>
      askRaw(port, encodeQuery("www.example.org", "A"), timeoutMs).then(
        (octets) => decodeMessage(octets).rcode === RCODE.NOERROR,
        () => false,
      ),
  );
  return (await Promise.all(asked)).filter((isAnswered) => isAnswered).length;
}

/**
 * Sends a query that no worker will answer, and waits until one has met it, or the control isolate has answered it. It goes
 * alone: what a worker has received with it is lost with it.
 */
async function harm(port: number, name: string): Promise<void> {
  await withFolder({}, async (folder) => {
    Deno.env.set("UNRULY_MET", `${folder}/met`);
    const socket = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
    let isAnswered = false;
    void socket.receive().then(() => isAnswered = true, () => {});
    await socket.send(encodeQuery(name, "A"), { transport: "udp", hostname: "127.0.0.1", port });
    const isMet = () => Deno.lstat(`${folder}/met`).then(() => true, () => false);
    try {
      await until(`a worker to meet ${name}`, async () => isAnswered || await isMet());
    } finally {
      socket.close();
    }
  });
}

function failuresOf({ server }: TestServer): number {
  return server.workers!.reduce((sum, { failures }) => sum + failures, 0);
}

const WAYS_TO_FAIL = { "throw.": /out of order/, "hang.": /stands still/, "leave.": /stands still/ };

for (const [name, why] of Object.entries(WAYS_TO_FAIL)) {
  Deno.test(`a data worker that meets ${name} loses nothing that it has not received, and is replaced`, async () => {
    await withWorkers(2, async (server) => {
      assert.equal(await askFromMany(server.port, 40), 40);
      await harm(server.port, name);
      // Half of it lies in the socket that nobody reads now.
      assert.equal(await askFromMany(server.port, 40), 40);
      await until("a failure", () => failuresOf(server) === 1);
      await until("two workers", () => server.server.workers!.every(({ state }) => state === "serving"));
      assert.equal(await askFromMany(server.port, 40), 40);
      const [said, ...more] = server.logged.filter((line) => line.includes("A data worker failed"));
      assert.match(said!, why);
      assert.deepEqual(more, []);
      const failures = 'meridian_worker_failures_total{worker="data"}';
      assert.equal(server.server.metrics.snapshot()[failures], 1);
    });
  });
}

Deno.test("where data workers fail again and again, the control isolate answers", async () => {
  await withWorkers(1, async (server) => {
    const isResting = () => server.server.workers![0]!.state === "resting" && failuresOf(server) >= 5;
    await until("the worker to rest", async () => {
      await harm(server.port, "throw.");
      return isResting();
    });
    assert.equal(await askFromMany(server.port, 20), 20);
    assert.ok(isResting());
    assert.ok(server.logged.some((line) => /answered by the control isolate .*\(in 60 s\)/.test(line)));
  });
});

Deno.test("a worker for which there is no room just then comes when there is", async () => {
  let made = 0;
  const makeWorker = () => {
    if (++made === 2) throw new Error("no room");
    return unrulyWorker();
  };
  const server = await startServer(WHOAMI, { workers: 1, makeWorker });
  try {
    await harm(server.port, "throw.");
    await until("a worker", () => made === 3 && server.server.workers![0]!.state === "serving");
    assert.equal(await askFromMany(server.port, 20), 20);
    assert.ok(server.logged.some((line) => /A data worker failed, .*: no room/.test(line)));
  } finally {
    await server.server.close();
  }
});

Deno.test("a worker that cannot start keeps the server from starting, and from being replaced by one that has such", async () => {
  const makeWorker = () =>
    new Worker("data:text/javascript,throw new Error('out of order')", { type: "module" });
  await assert.rejects(
    startServer(WHOAMI, { workers: 2, makeWorker }),
    /a data worker failed: .*out of order/,
  );
});

Deno.test("data workers answer while the control isolate is busy", async () => {
  const stall = `
  const isThere = (path) => {
    try {
      return Deno.lstatSync(path).isFile;
    } catch {
      return false;
    }
  };
  export default () => ({
    api: 1,
    name: "stall",
    usage: "stall",
    options: {},
    parse: () => ({}),
    answerer: () => ({
      name: "stall",
      answer(context, next) {
        const untilMs = performance.now() + (context.transport === "tcp" ? 60_000 : 0);
        while (performance.now() < untilMs && !isThere("go-on"));
        return next(context);
      },
    }),
  });
  `;
  const corefile = `{\n    plugin stall.js\n}\n.:1053 {\n    bind 127.0.0.1\n    stall\n    whoami\n}\n`;
  await withFolder({ "stall.js": stall }, async (folder) => {
    await using server = await ServeProcess.start(folder, corefile, "-workers", "2");
    let isStalled = true;
    const how = { transport: "tcp", timeoutMs: 2 * PATIENCE_MS } as const;
    const stalled = askServer(server.port, "www.example.org", "A", how)
      .finally(() => isStalled = false);
    for (let i = 0; i < 5; i++) assert.equal(await askFromMany(server.port, 20), 20);
    assert.ok(isStalled, "the control isolate was not busy");
    await Deno.writeTextFile(`${folder}/go-on`, "");
    assert.equal((await stalled).rcode, RCODE.NOERROR);
  });
});

Deno.test("data workers that nobody has asked for long answer, and take over each other's sockets", async () => {
  await withWorkers(2, async (server) => {
    const restLong = () => new Promise((resolve) => setTimeout(resolve, 1500));
    await restLong();
    assert.equal(await askFromMany(server.port, 20), 20);
    await restLong();
    await harm(server.port, "throw.");
    await until("a failure", () => failuresOf(server) === 1);
    assert.equal(await askFromMany(server.port, 20), 20);
    await until("two workers", () => server.server.workers!.every(({ state }) => state === "serving"));
    await restLong();
  });
});

Deno.test("a reload for which there are too few descriptors is not taken", async () => {
  const port = freePort();
  const corefile = WHOAMI.replace("1053", String(port));
  const root = new URL("../../", import.meta.url).pathname;
  await withFolder({ Corefile: corefile }, async (folder) => {
    const child = new Deno.Command("bash", {
      args: [
        ...[
          "-c",
          `ulimit -n 80 && exec "$0" run -A --no-check --config=${root}deno.json ${root}main.ts serve -workers 2`,
        ],
        Deno.execPath(),
      ],
      cwd: folder,
      stdin: "null",
      stdout: "null",
      stderr: "null",
    }).spawn();
    try {
      const control = `${folder}/.meridian/control.sock`;
      await until("the server", () => Deno.lstat(control).then(() => true, () => false));
      const reply = await askControl(control, "reload") as { result: { taken: boolean; reason: string } };
      assert.equal(reply.result.taken, false);
      assert.match(reply.result.reason, /file descriptors/);
      assert.equal(await askFromMany(port, 20), 20);
    } finally {
      child.kill("SIGTERM");
      assert.equal((await child.status).code, 0);
    }
  });
});

Deno.test("a reload takes another number of data workers, and answers all through it", async () => {
  const corefile = (globals: string) => `{\n    ${globals}\n}\n${WHOAMI}`;
  await withFolder({}, async (folder) => {
    await using server = await ServeProcess.start(folder, corefile("workers 2"));
    const control = `${folder}/.meridian/control.sock`;
    const workers = async () => {
      const reply = await askControl(control, "status") as { result: Status };
      return reply.result.workers?.map(({ state }) => state);
    };
    assert.deepEqual(await workers(), ["serving", "serving"]);
    for (const count of [1, 3, 0, 2]) {
      await Deno.writeTextFile(
        `${folder}/Corefile`,
        corefile(`workers ${count}`).replaceAll("1053", `${server.port}`),
      );
      let isReloaded = false;
      const reloaded = askControl(control, "reload").finally(() => isReloaded = true);
      while (!isReloaded) assert.equal(await askFromMany(server.port, 10), 10);
      assert.equal((await reloaded as { result: { taken: boolean } }).result.taken, true, server.output);
      assert.deepEqual(await workers(), Array(count).fill("serving"));
      assert.equal(await askFromMany(server.port, 20), 20);
    }
    server.kill("SIGTERM");
    assert.equal(await server.end(), 0);
    assert.doesNotMatch(server.output, /ERROR|WARNING/);
  });
});

Deno.test("without data workers a reload that wants some says what it takes", async () => {
  await withFolder({}, async (folder) => {
    await using server = await ServeProcess.start(folder, `{\n    workers 0\n}\n${WHOAMI}`);
    const path = `${folder}/Corefile`;
    await Deno.writeTextFile(path, (await Deno.readTextFile(path)).replace("workers 0", "workers 2"));
    await askControl(`${folder}/.meridian/control.sock`, "reload");
    await server.says(/'workers 2' takes a restart or -replace/);
    assert.equal(await askFromMany(server.port, 20), 20);
  });
});
