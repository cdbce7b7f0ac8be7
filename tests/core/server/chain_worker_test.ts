import assert from "node:assert/strict";
import { RCODE } from "../../../core/dns/types.ts";
import { chainInWorker } from "../../../core/server/chain_worker.ts";
import { startServer } from "../../support/server.ts";

const COREFILE = `.:1053 {
    bind 127.0.0.1
    whoami
}
`;

const CHAIN_WORKER = new URL("../../../core/server/chain_worker.ts", import.meta.url).href;

/** A server whose chain is said to be in a worker that runs `program`. */
async function startWith(program: string) {
  const directory = await Deno.makeTempDir();
  await Deno.writeTextFile(`${directory}/worker.js`, program);
  const terminated: boolean[] = [];
  const logged: string[] = [];
  const error = (message: string) => void logged.push(message);
  const log = { debug() {}, info() {}, warn() {}, error };
  try {
    const server = await startServer(COREFILE, {
      log,
      wrapExchange(server) {
        const worker = new Worker(`file://${directory}/worker.js`, { type: "module" });
        const terminate = worker.terminate.bind(worker);
        worker.terminate = () => (terminated.push(true), terminate());
        return chainInWorker(worker, server, { log, writeLine() {} });
      },
    });
    return { ...server, logged, terminated };
  } catch (error) {
    return { error: String(error), logged, terminated };
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

Deno.test("a worker that dies leaves its queries, and all that come later, to the control isolate", async () => {
  const started = await startWith(`
    self.onmessage = ({ data }) => {
      if (data.kind === "configure") self.postMessage({ kind: "ready" });
      if (data.kind === "query" && data.id === 2) throw new Error("out of order");
    };
  `);
  assert.ok("server" in started);
  const replies = await Promise.all([started.ask("one.example.org"), started.ask("two.example.org")]);
  assert.deepEqual(replies.map(({ rcode }) => rcode), [RCODE.NOERROR, RCODE.NOERROR]);
  assert.equal((await started.ask("three.example.org")).rcode, RCODE.NOERROR);
  assert.equal(started.logged.length, 1);
  assert.match(started.logged[0]!, /worker failed.*out of order/);
  const counts = started.server.metrics.snapshot();
  assert.equal(counts['meridian_worker_failures_total{worker="chain"}'], 1);
  assert.equal(started.terminated.length, 1);
  await started.close();
});

Deno.test("a worker that fails before it is ready is terminated, and the start fails", async () => {
  const started = await startWith(`self.onmessage = () => { throw new Error("out of order"); };`);
  assert.ok("error" in started);
  assert.match(started.error, /The chain's worker failed: .*out of order/);
  assert.equal(started.terminated.length, 1);
});

Deno.test("runChainWorker() says what it cannot do", async () => {
  const started = await startWith(`
    import { runChainWorker } from ${JSON.stringify(CHAIN_WORKER)};
    runChainWorker([]);
  `);
  assert.ok("error" in started);
  assert.match(started.error, /The chain's worker failed: TypeError/);
});
