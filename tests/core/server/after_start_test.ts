/** What is given back once a start is over. */

import assert from "node:assert/strict";
import { collectGarbage, giveBackLater } from "../../../core/server/after_start.ts";

Deno.test("collectGarbage() leaves nothing that nobody holds", async () => {
  const refs = Array.from({ length: 100 }, () => new WeakRef({ held: new Uint8Array(1000) }));
  const held = { held: new Uint8Array(1000) }, ref = new WeakRef(held);
  // What a WeakRef has been asked for, or was made with, lives until the turn ends.
  await new Promise((resolve) => setTimeout(resolve, 0));
  collectGarbage();
  await new Promise((resolve) => setTimeout(resolve, 0));
  assert.equal(refs.filter((one) => one.deref() !== undefined).length, 0);
  assert.equal(ref.deref(), held);
});

Deno.test("giveBackLater() goes on until it is called off", async () => {
  const { setTimeout } = globalThis, waits = new Set<number>();
  let fired = 0;
  // Sooner than it says, so that it is seen to go on, and to stop.
  globalThis.setTimeout = ((callback: () => void, ms: number) => {
    waits.add(ms);
    return setTimeout(() => (fired++, callback()), 1);
  }) as typeof setTimeout;
  const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
  try {
    const stop = giveBackLater();
    while (fired < 10) await pause(1);
    stop();
    const before = fired;
    await pause(20);
    assert.equal(fired, before);
    assert.ok([...waits].every((ms) => ms >= 5000), `${[...waits]}`);
  } finally {
    globalThis.setTimeout = setTimeout;
  }
});
