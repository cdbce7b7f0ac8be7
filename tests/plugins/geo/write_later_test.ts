import assert from "node:assert/strict";
import { ManualClock } from "../../../core/clock.ts";
import type { Geography } from "../../../core/fleet/place.ts";
import { LaterWriter } from "../../../plugins/geo/write_later.ts";

function writer() {
  const clock = new ManualClock(0), written: string[] = [];
  const later = new LaterWriter(clock, ({ path }) => void written.push(path));
  const add = (path: string) => later.add({ path, geography: {} as Geography });
  return { clock, written, later, add };
}

Deno.test("LaterWriter writes once there was time for other things, and the last alone", async () => {
  const { clock, written, later, add } = writer();
  add("a");
  add("b");
  clock.advance(500);
  assert.deepEqual(written, []);
  clock.advance(500);
  await Promise.resolve();
  assert.deepEqual(written, ["b"]);
  await later.close();
  assert.deepEqual(written, ["b"]);
});

Deno.test("LaterWriter writes at its end what it has, and what is added while it writes after that", async () => {
  const written: string[] = [], { promise, resolve } = Promise.withResolvers<void>();
  const later = new LaterWriter(new ManualClock(0), async ({ path }) => {
    await promise;
    written.push(path);
  });
  later.add({ path: "a", geography: {} as Geography });
  const closed = later.close();
  later.add({ path: "b", geography: {} as Geography });
  const closedAgain = later.close();
  resolve();
  await Promise.all([closed, closedAgain]);
  assert.deepEqual(written, ["a", "b"]);
});
