/** The permissions in deno.json with which docs/OPERATING.md has the server run. */

import assert from "node:assert/strict";
import { copyExample } from "../../scripts/example.ts";
import { askServer, freePort } from "../support/server.ts";
import { until } from "../support/until.ts";

const ROOT = new URL("../../", import.meta.url).pathname;

/** Runs a command with the set "serve" and leave to write to a folder. */
function withPermissions(folder: string, ...args: string[]): Deno.Command {
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "-P=serve", `--allow-write=${folder}`, "--no-prompt", "--no-check", "main.ts", ...args],
    cwd: ROOT,
    env: { NO_COLOR: "1" },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  });
}

for (const flags of [["-workers", "0"], ["-workers", "2"]]) {
  Deno.test(`the permissions "serve" are enough for the example: ${flags.join(" ")}`, async () => {
    const port = freePort();
    const example = await copyExample({ ":1053": `:${port}`, "bind 127.0.0.1 ::1": "bind 127.0.0.1" });
    const text = await Deno.readTextFile(example.corefile);
    await Deno.writeTextFile(example.corefile, text.replace("state off", `state ${example.folder}/state`));
    const child = withPermissions(example.folder, "serve", "-conf", example.corefile, ...flags).spawn();
    let said = "";
    const read = async (stream: ReadableStream<Uint8Array>) => {
      for await (const part of stream.pipeThrough(new TextDecoderStream())) said += part;
    };
    const reading = Promise.all([read(child.stdout), read(child.stderr)]);
    try {
      await until("a greeting", () => /^Meridian-/m.test(said));
      const { answer } = await askServer(port, "entry.anycast.example", "A", { subnet: "80.128.0.0/24" });
      assert.equal(answer.length, 2);
    } finally {
      child.kill("SIGTERM");
      const { code } = await child.status;
      await reading;
      await example.remove();
      assert.equal(code, 0, said);
    }
    assert.doesNotMatch(said, /NotCapable|Requires \w+ access|\[ERROR\]/);
  });
}

Deno.test('the permissions "serve" are no more than that: another variable, another program, another folder', async () => {
  const folder = await Deno.makeTempDir();
  const ended = async (corefile: string) => {
    await Deno.writeTextFile(`${folder}/Corefile`, corefile);
    const { code, stdout, stderr } = await withPermissions(folder, "serve", "-conf", `${folder}/Corefile`)
      .output();
    return { code, said: new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr) };
  };
  try {
    const variable = await ended(".:1053 {\n    bind {$HOME}\n    whoami\n}\n");
    assert.match(variable.said, /Requires env access to "HOME"/);
    assert.equal(variable.code, 2);
    const elsewhere = await ended(
      `{\n    state /var/cache/other\n}\n.:${freePort()} {\n    bind 127.0.0.1\n    whoami\n}\n`,
    );
    assert.match(elsewhere.said, /Requires write access to "\/var\/cache\/other/);
    assert.equal(elsewhere.code, 2);
    const { permissions: { serve } } = JSON.parse(Deno.readTextFileSync(`${ROOT}deno.json`));
    assert.equal(serve.run, undefined);
    assert.equal(serve.import, undefined);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
