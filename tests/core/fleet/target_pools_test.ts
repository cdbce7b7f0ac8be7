import assert from "node:assert/strict";
import { TargetPools } from "../../../core/fleet/target_pools.ts";

Deno.test("TargetPools knows the pools of a target as these change, come and go", () => {
  const followed = new TargetPools();
  const a = { targets: { "192.0.2.1": ["x", "y"], "192.0.2.2": ["z"] } };
  followed.setAll({ a, b: { targets: { "192.0.2.1": ["x"] } } });
  assert.deepEqual([[...followed.of("x")], [...followed.of("z")]], [["a", "b"], ["a"]]);
  followed.setAll({ a, b: { targets: { "192.0.2.9": ["z"] } } });
  assert.deepEqual([[...followed.of("x")], [...followed.of("z")]], [["a"], ["a", "b"]]);
  followed.setAll({ b: { targets: {} } });
  assert.deepEqual([followed.of("x").size, followed.of("z").size, followed.of("none").size], [0, 0, 0]);
});
