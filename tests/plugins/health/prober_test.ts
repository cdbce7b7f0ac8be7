import assert from "node:assert/strict";
import { type ProbeReport, workerProber } from "../../../plugins/health/prober.ts";

Deno.test("the probing worker reports every job once", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const serving = (async () => {
    for await (const connection of listener) connection.close();
  })();
  const closed = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  closed.close();
  const good = { kind: "tcp", port: listener.addr.port } as const;
  const bad = { kind: "tcp", port: closed.addr.port } as const;
  const jobs = Array.from({ length: 40 }, (_, i) => ({
    id: i,
    address: "127.0.0.1",
    check: i % 2 ? bad : good,
    timeoutMs: 5000,
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
