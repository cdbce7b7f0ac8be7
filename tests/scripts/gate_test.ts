import assert from "node:assert/strict";
import type { GateFigures } from "../../scripts/bench/gate.ts";

/** What a packet may cost, in packets of the yardstick: twice what it does, less than half of what the chain would. */
const COST_MAX = { name: 3, absent: 4, pool4: 5 } as const;

/** What else the machine does makes a run dearer and never cheaper: of so many the cheapest counts. */
const RUNS = 3;

Deno.test("a reply that is repeated allocates nothing, and costs no more than a little copying and hashing", async () => {
  const least: Record<string, number> = {};
  const isMet = () => Object.entries(COST_MAX).every(([kind, most]) => (least[kind] ?? Infinity) < most);
  for (let run = 0; run < RUNS && !isMet(); run++) {
    const figures = await measure();
    assert.deepEqual(figures.map(({ kind }) => kind), Object.keys(COST_MAX));
    for (const { kind, repeated, octets, cost } of figures) {
      assert.ok(repeated > 0.99, `${kind}: ${(100 * repeated).toFixed(1)} % of the replies were repeated`);
      // The smallest object has 12 octets.
      assert.ok(octets < 8, `${kind}: ${octets.toFixed(1)} octets a packet`);
      least[kind] = Math.min(least[kind] ?? Infinity, cost);
    }
  }
  assert.ok(isMet(), `in packets of the yardstick: ${JSON.stringify(least)}`);
});

async function measure(): Promise<GateFigures[]> {
  const script = new URL("../../scripts/bench/gate.ts", import.meta.url).pathname;
  const args = ["run", "-A", "--no-check", "--v8-flags=--expose-gc", script];
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), { args }).output();
  assert.ok(success, new TextDecoder().decode(stderr));
  return JSON.parse(new TextDecoder().decode(stdout));
}
