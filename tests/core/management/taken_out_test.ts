import assert from "node:assert/strict";
import { formerly, takenOut } from "../../../core/management/taken_out.ts";
import type { Entry, Write } from "../../../core/state/store.ts";

const NOW_MS = Date.parse("2026-12-01T00:00:00Z"), HOUR_MS = 3_600_000;
const POOL = { name: "entry.example.", select: {} };
const at = (hours: number) => new Date(NOW_MS + hours * HOUR_MS).toISOString();

function node(id: string, more: object = {}): Entry {
  const value = { id, addresses: ["192.0.2.1"], location: { latitude: 50, longitude: 8 }, ...more };
  return { key: `nodes/${id}`, value: JSON.stringify(value), revision: 1, version: 1 };
}

function override(id: string, target: object, state: string, from: number, until: number): Entry {
  const value = {
    id,
    target,
    state,
    from: at(from),
    until: at(until),
    reason: "r",
    actor: "a",
    created: at(-9),
  };
  return { key: `overrides/${id}`, value: JSON.stringify(value), revision: 1, version: 1 };
}

const NODES = ["n1", "n2", "n3"].map((id) => node(id));
const put = ({ key, value }: Entry): Write => ({ put: key, value });
const outOf = (entries: readonly Entry[], writes: readonly Write[], former?: readonly Entry[]) =>
  takenOut(entries, writes, NOW_MS, { pools: [POOL] }, former).map((
    { nodes, outBefore, outAfter },
  ) => [nodes, outBefore, outAfter]);

Deno.test("takenOut() counts nodes that are forced, drained, gone or of next to no weight", () => {
  assert.deepEqual(outOf(NODES, [put(override("o", { node: "n1" }, "down", 0, 1))]), [[3, 0, 1]]);
  assert.deepEqual(outOf(NODES, [put(node("n1", { state: "drain" }))]), [[3, 0, 1]]);
  assert.deepEqual(outOf(NODES, [{ remove: "nodes/n1" }, { remove: "nodes/n2" }]), [[3, 0, 2]]);
  assert.deepEqual(outOf(NODES, [put(node("n1", { weight: 1000 }))]), [[3, 0, 2]]);
  assert.deepEqual(outOf(NODES, [put(node("n1", { weight: 2 }))]), []);
  assert.deepEqual(
    outOf([...NODES, override("o", { node: "n1" }, "down", 0, 1)], [{ remove: "overrides/o" }]),
    [],
  );
});

Deno.test("takenOut() looks at every instant at which something begins or ends by itself", () => {
  const later = override("a", { node: "n1" }, "down", 5, 7),
    saved = override("b", { node: "n2" }, "up", 0, 6);
  const all = put(override("c", { pool: POOL.name }, "drain", 1, 8));
  assert.deepEqual(outOf([...NODES, later, saved], [all]), [[3, 1, 3]]);
  assert.deepEqual(outOf([...NODES, later], [put(override("d", { node: "n2" }, "down", 1, 6))]), [[3, 1, 2]]);
});

Deno.test("formerly() has what was changed since, and takenOut() counts it", () => {
  const record = (number: number, atMs: number, action: string, before?: unknown): Entry => ({
    ...{ key: `audit/fra/${number}`, revision: 1, version: 1 },
    value: JSON.stringify({ atMs, action, subject: "nodes/x", before, server: "fra", number }),
  });
  const gone = ["g1", "g2"].map((id) => JSON.parse(node(id).value));
  const log = [
    record(1, NOW_MS - 2, "node.delete", gone[0]),
    record(2, NOW_MS - 1, "node.update", gone[1]),
    record(3, NOW_MS - 2 * HOUR_MS, "node.delete", JSON.parse(node("old").value)),
    record(4, NOW_MS, "node.create"),
    record(5, NOW_MS, "override.delete", gone[0]),
  ];
  const former = formerly(log, NOW_MS - HOUR_MS);
  assert.deepEqual(former.map(({ value }) => JSON.parse(value).id), ["g1", "g2"]);
  assert.deepEqual(outOf(NODES, [{ remove: "nodes/n1" }], former), [[5, 2, 3]]);
});
