import assert from "node:assert/strict";
import type { GateFigures } from "../../scripts/bench/gate.ts";

/** What a packet may cost, in packets of the yardstick: twice what it does, less than half of what the chain would. */
const COST_MAX = { name: 3, absent: 4, pool4: 5 } as const;

Deno.test("a reply that is repeated allocates nothing, and costs no more than a little copying and hashing", async () => {
  const script = new URL("../../scripts/bench/gate.ts", import.meta.url).pathname;
  const args = ["run", "-A", "--no-check", "--v8-flags=--expose-gc", script];
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), { args }).output();
  assert.ok(success, new TextDecoder().decode(stderr));
  const figures: GateFigures[] = JSON.parse(new TextDecoder().decode(stdout));
  assert.deepEqual(figures.map(({ kind }) => kind), Object.keys(COST_MAX));
  for (const { kind, repeated, octets, cost } of figures) {
    assert.ok(repeated > 0.99, `${kind}: ${(100 * repeated).toFixed(1)} % of the replies were repeated`);
    // The smallest object has 12 octets.
    assert.ok(octets < 8, `${kind}: ${octets.toFixed(1)} octets a packet`);
    assert.ok(cost < COST_MAX[kind as keyof typeof COST_MAX], `${kind}: ${cost.toFixed(2)} of the yardstick`);
  }
});
