import assert from "node:assert/strict";
import { loadModule, NotAPlugin, pluginUrl } from "../../../core/custom/module.ts";
import { until } from "../../support/until.ts";

Deno.test("a plugin that waits too long while it is loaded is given up", async () => {
  const folder = await Deno.makeTempDir();
  const path = `${folder}/waits.js`;
  await Deno.writeTextFile(
    path,
    "await new Promise((resolve) => setTimeout(resolve, 500));\nglobalThis.hasWaited = true;\nexport default () => ({});\n",
  );
  try {
    await assert.rejects(
      loadModule(pluginUrl(path, "waits.js"), () => {}, 100),
      (error) => error instanceof NotAPlugin && /^is not loaded after 0\.1 s/.test(error.message),
    );
    // It goes on loading, and nobody waits for it; the test runner would.
    await until("it to be loaded", () => "hasWaited" in globalThis);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
