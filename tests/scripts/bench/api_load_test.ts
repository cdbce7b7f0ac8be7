/** The benchmark of heartbeats beside queries: what of it does not depend on time. */

import assert from "node:assert/strict";
import { sendHeartbeats } from "../../../scripts/bench/api_load/heartbeats.ts";
import { Neighbour } from "../../../scripts/bench/api_load/neighbour.ts";
import { orderOf, type Round, ROUND_KINDS, type RoundKind } from "../../../scripts/bench/api_load/round.ts";
import { HEADINGS, rowsOf } from "../../../scripts/bench/api_load/rows.ts";
import type { Figures } from "../../../scripts/bench/load.ts";
import { nativeProgram } from "../../../scripts/bench/native.ts";
import type { Pin } from "../../../scripts/bench/process.ts";
import { binOf } from "../../../scripts/bench/statistics.ts";

Deno.test("orderOf() has each kind of round as often in each place, and after each of the others, in six cycles", () => {
  const cycles = Array.from({ length: 6 }, (_, cycle) => orderOf(cycle));
  assert.equal(new Set(cycles.map(String)).size, 6);
  for (const place of [0, 1, 2]) {
    assert.deepEqual(countsOf(cycles.map((order) => order[place]!)), {
      heartbeats: 2,
      idle: 2,
      neighbour: 2,
    });
  }
  const following = [...cycles.flat(), ...orderOf(6)];
  const pairs = following.slice(0, 18).map((kind, i) => `${kind}, ${following[i + 1]}`);
  const expected = ROUND_KINDS.flatMap((one) =>
    ROUND_KINDS.filter((other) => other !== one).map((other) => [`${one}, ${other}`, 3])
  );
  assert.deepEqual(countsOf(pairs), Object.fromEntries(expected));
  assert.deepEqual(orderOf(6), orderOf(0));
});

Deno.test("rowsOf() judges what heartbeats cost, and of the neighbour tells it", () => {
  const rows = rowsOf("sqlite, shared", {
    idle: [roundOf("idle", 4), roundOf("idle", 4)],
    heartbeats: [roundOf("heartbeats", 5), roundOf("heartbeats", 5)],
    neighbour: [roundOf("neighbour", 6), roundOf("neighbour", 6)],
  });
  assert.ok(rows.every((row) => row.length === HEADINGS.length));
  const row = (name: string) => rows.find((row) => row[1] === name)!.slice(2).map((cell) => cell.trim());
  assert.deepEqual(
    row("CPU µs of the worker, a query"),
    ["4.00", "5.00", "1.250", "1.250–1.250", "FAIL", "6.00", "1.500", "1.500–1.500"],
  );
  assert.deepEqual(
    row("CPU µs without the fleet isolate"),
    ["8.00", "8.00", "1.000", "1.000–1.000", "pass", "8.00", "1.000", "1.000–1.000"],
  );
  assert.deepEqual(row("fleet isolate, of a processor"), ["0.02", "0.20", "", "", "", "0.02", "", ""]);
  assert.deepEqual(row("neighbour, of a processor"), ["0.00", "0.00", "", "", "", "0.19", "", ""]);
  assert.deepEqual(row("heartbeats sent"), ["", "7,600", "", "", "", "7,600", "", ""]);
  assert.deepEqual(row("heartbeats answered"), ["", "7,596", "", "", "", "7,600", "", ""]);
  assert.deepEqual(row("p99 of heartbeats, ms"), ["", "2.00", "", "", "", "2.00", "", ""]);
});

Deno.test("the neighbour answers every heartbeat, far behind others, and ends when it is let go", async () => {
  const program = await nativeProgram("beats");
  if (program === undefined) return console.warn("left out: no C compiler");
  const nodes = await Deno.makeTempFile();
  try {
    await Deno.writeTextFile(nodes, "n1 credential\nn2 another\n");
    let pid: number;
    {
      await using neighbour = await Neighbour.start(UNPINNED, "0");
      pid = neighbour.pid;
      const { port, cpuNs } = neighbour;
      await breakOff(port);
      const heartbeats = { program, port, seconds: 0.5, rate: 200, nodes, first: 1 };
      const { sent, answered, wrong } = await sendHeartbeats(heartbeats, UNPINNED);
      assert.deepEqual([sent, answered, wrong], [100, 100, 0]);
      assert.ok(neighbour.cpuNs > cpuNs, "has worked for it");
      assert.deepEqual([...niceValues(pid)], [19]);
    }
    await assert.rejects(Deno.stat(`/proc/${pid}`), Deno.errors.NotFound);
  } finally {
    await Deno.remove(nodes);
  }
});

const UNPINNED: Pin = (_, command) => [...command];

function countsOf(names: readonly string[]): Record<string, number> {
  const groups = Object.groupBy(names, (name) => name);
  return Object.fromEntries(Object.entries(groups).map(([name, of]) => [name, of!.length]));
}

/** A round of a kind in which a query took the worker so long. */
function roundOf(kind: RoundKind, workerUs: number): Round {
  const beats: Figures = {
    ...{ seconds: 1, sent: 3800, answered: 3799, wrong: 1, bins: [[binOf(2_000_000), 3799]] },
    ...kind === "neighbour" && { answered: 3800, wrong: 0 },
  };
  return {
    ...{ workerUs, allUs: 8, perSecond: 200_000, bins: [[binOf(1000), 1]], serverBins: [[binOf(500), 1]] },
    ...{ lost: 0, fleetShare: kind === "heartbeats" ? 0.2 : 0.02 },
    ...{ neighbourShare: kind === "neighbour" ? 0.19 : 0, ...kind !== "idle" && { beats } },
  };
}

/** Says half a heartbeat, and goes. */
async function breakOff(port: number): Promise<void> {
  using connection = await Deno.connect({ port });
  const half = 'PUT /v1/nodes/n1/beat HTTP/1.1\r\nHost: localhost\r\nContent-Length: 50\r\n\r\n{"load"';
  await connection.write(new TextEncoder().encode(half));
}

/** Of all threads of a process; behind the name, which may hold anything, come fields that are numbers (proc_pid_stat(5)). */
function niceValues(pid: number): Set<number> {
  const threads = [...Deno.readDirSync(`/proc/${pid}/task`)];
  return new Set(threads.map(({ name }) => {
    const stat = Deno.readTextFileSync(`/proc/${pid}/task/${name}/stat`);
    return Number(stat.slice(stat.lastIndexOf(") ") + 2).split(" ")[16]);
  }));
}
