import assert from "node:assert/strict";

Deno.test("the end-to-end tests pass with data workers, which are fed by structured clone alone", async () => {
  const command = new Deno.Command(Deno.execPath(), {
    args: ["test", "-A", "--no-check", "--parallel", "tests/e2e/"],
    env: { MERIDIAN_WORKERS: "2", NO_COLOR: "1" },
  });
  const { code, stdout, stderr } = await command.output();
  const output = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
  assert.equal(code, 0, output);
  assert.match(output, /^ok \| \d\d+ passed/m);
});
