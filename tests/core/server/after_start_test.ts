/** What is given back once a start is over. */

import assert from "node:assert/strict";
import { collectGarbage } from "../../../core/server/after_start.ts";

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
