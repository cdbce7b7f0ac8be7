/** Where commands stand, and which modules one reads. */

import assert from "node:assert/strict";
import { allCommands, COMMAND_NAMES } from "../../core/command/mod.ts";
import { modulesOf } from "../support/modules.ts";

Deno.test("every command's file exports it by its name", async () => {
  const commands = await allCommands();
  assert.deepEqual(Object.keys(commands), COMMAND_NAMES);
  for (const [name, { usage }] of Object.entries(commands)) assert.match(usage, new RegExp(`^${name}\\b`));
});

Deno.test("a server reads no other command's modules", async () => {
  const own = [...await modulesOf("main.ts"), ...await modulesOf("core/command/serve.ts")];
  assert.ok(own.includes("core/command/mod.ts") && own.includes("core/server/server.ts"));
  const others = /^core\/((import|prove)\/|command\/(bootstrap|completion|import|peers|plugins?|prove)\.ts)/;
  assert.deepEqual(own.filter((path) => others.test(path)), []);
});
