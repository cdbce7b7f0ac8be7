import assert from "node:assert/strict";
import { ensurePackages } from "../../scripts/packages.ts";

await ensurePackages(["systemd"]);

Deno.test("systemd has nothing to say against the unit of the agent", async () => {
  const unit = await Deno.readTextFile(new URL("../../deploy/meridian-agent.service", import.meta.url));
  const folder = await Deno.makeTempDir(), file = `${folder}/meridian-agent.service`;
  try {
    await Deno.writeTextFile(file, unit.replaceAll("/usr/local/bin/meridian", "/bin/true"));
    const { code, stdout, stderr } = await new Deno.Command("systemd-analyze", {
      args: ["verify", "--man=no", file],
    }).output();
    const said = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
    assert.deepEqual([code, said], [0, ""]);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
