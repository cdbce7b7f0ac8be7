import assert from "node:assert/strict";
import { ManualClock } from "../../../core/clock.ts";
import {
  type ProbeReport,
  proberIn,
  type ProbingWorker,
  type WorkerJob,
  workerProber,
} from "../../../plugins/health/prober.ts";
import { foreignImports } from "../../support/foreign_imports.ts";
import { freePort } from "../../support/server.ts";

Deno.test("the probing worker reports every job once", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const serving = (async () => {
    for await (const connection of listener) connection.close();
  })();
  const good = { kind: "tcp", port: listener.addr.port } as const;
  const bad = { kind: "tcp", port: freePort() } as const;
  const jobs = Array.from({ length: 40 }, (_, i) => ({
    id: i,
    address: "127.0.0.1",
    check: i % 2 ? bad : good,
    timeoutMs: 60_000,
  }));
  const reports: ProbeReport[] = [];
  await new Promise<void>((resolve, reject) => {
    const prober = workerProber((some) => {
      reports.push(...some);
      if (reports.length < jobs.length) return;
      prober.close();
      resolve();
    }, (message) => reject(new Error(message)));
    prober.run(jobs);
  });
  listener.close();
  await serving;
  const told = reports.toSorted((a, b) => a.id - b.id).map(({ id, ok, reason }) => ({ id, ok, reason }));
  assert.deepEqual(
    told,
    jobs.map(({ id }) => ({ id, ok: id % 2 === 0, reason: id % 2 ? "connection refused" : "connected" })),
  );
});

Deno.test("the probing worker carries none of Node's modules before a check wants one", () => {
  const worker = new URL("../../../plugins/health/prober_worker.ts", import.meta.url);
  assert.deepEqual(foreignImports([worker.pathname]), []);
});

/** A worker that does nothing but keep what it was sent. */
class DeafWorker implements ProbingWorker {
  readonly jobs: WorkerJob[] = [];
  onmessage: ProbingWorker["onmessage"] = null;
  onerror: ProbingWorker["onerror"] = null;
  terminated = false;

  postMessage(jobs: readonly WorkerJob[]): void {
    this.jobs.push(...jobs);
  }

  terminate(): void {
    this.terminated = true;
  }

  break(): void {
    this.onerror!.call(this as unknown as Worker, new ErrorEvent("error", { message: "out of memory" }));
  }
}

/** A prober over such workers. */
function withDeafWorkers(begin?: (then: () => void) => void) {
  const clock = new ManualClock();
  const workers: DeafWorker[] = [], faults: string[] = [];
  const start = () => {
    workers.push(new DeafWorker());
    return workers.at(-1)!;
  };
  const prober = proberIn(
    start,
    (delayMs, then) => clock.after(delayMs, then),
    () => {},
    (message) => faults.push(message),
    begin,
  );
  const check = { kind: "tcp", port: 80 } as const;
  const run = (id: number) => prober.run([{ id, address: "192.0.2.1", check, timeoutMs: 1000 }]);
  return { clock, workers, faults, prober, run };
}

Deno.test("a probing worker that is started anew is told every check, also of jobs run meanwhile", () => {
  const { clock, workers, faults, run } = withDeafWorkers();
  run(1);
  workers[0]!.break();
  run(2);
  assert.deepEqual([workers[0]!.terminated, workers.length], [true, 1]);
  clock.advance(1000);
  run(3);
  const told = workers[1]!.jobs.map(({ id, checkId, check }) => [id, checkId, check?.kind]);
  assert.deepEqual(told, [[1, 0, "tcp"], [2, 0, undefined], [3, 0, undefined]]);
  assert.deepEqual(faults, ["the probing worker broke and is started anew: out of memory"]);
});

Deno.test("a prober starts no worker before it is to begin, and then runs what has waited", () => {
  let begin = () => {};
  const { workers, run } = withDeafWorkers((then) => void (begin = then));
  run(1);
  run(2);
  assert.equal(workers.length, 0);
  begin();
  run(3);
  const told = workers[0]!.jobs.map(({ id, checkId, check }) => [id, checkId, check?.kind]);
  assert.deepEqual(told, [[1, 0, "tcp"], [2, 0, undefined], [3, 0, undefined]]);
});

Deno.test("a prober that is closed before it is to begin starts no worker at all", () => {
  let begin = () => {};
  const { workers, prober, run } = withDeafWorkers((then) => void (begin = then));
  run(1);
  prober.close();
  begin();
  assert.equal(workers.length, 0);
});

Deno.test("a prober that is closed starts no worker any more", () => {
  const { clock, workers, prober, run } = withDeafWorkers();
  workers[0]!.break();
  prober.close();
  run(1);
  clock.advance(10_000);
  assert.equal(workers.length, 1);
});

Deno.test("the probing worker reports a check that it was not told as its own failure", async () => {
  const url = new URL("../../../plugins/health/prober_worker.ts", import.meta.url);
  const worker = new Worker(url, { type: "module" });
  const job: WorkerJob = { id: 1, checkId: 7, address: "127.0.0.1", timeoutMs: 1000 };
  const [report] = await new Promise<readonly ProbeReport[]>((resolve) => {
    worker.onmessage = ({ data }) => resolve(data);
    worker.postMessage([job]);
  });
  worker.terminate();
  assert.deepEqual([report!.id, report!.ok, report!.local], [1, false, true]);
});
