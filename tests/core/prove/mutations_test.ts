/**
 * That `prove` can fail: three mistakes, each put into a copy of the code, and each must be found.
 *
 * @module
 */

import assert from "node:assert/strict";

const ROOT = new URL("../../../", import.meta.url).pathname;

const MISTAKES = [
  {
    what: "a wrong hemisphere",
    file: "core/fleet/distance.ts",
    from: "z: Math.sin(latitude * DEGREE)",
    to: "z: Math.sin(Math.abs(latitude) * DEGREE)",
    says: /^objective: /m,
  },
  {
    what: "a scope one bit off",
    file: "plugins/anycast/fill.ts",
    from: "scopePrefixLength: location.network.length",
    to: "scopePrefixLength: location.network.length - 1",
    says: /^scope not sound: /m,
  },
  {
    what: "IPv6 clients taken for their neighbours",
    file: "core/fleet/locate.ts",
    from: "const entry = findNetwork(table, octets);",
    to: "const entry = findNetwork(table, octets) + (family === 6 ? 1 : 0);",
    says: /^(objective|scope not sound): .* for [0-9a-f]*:/m,
  },
] as const;

Deno.test("prove", async (t) => {
  const copy = await Deno.makeTempDir({ prefix: "meridian-prove-" });
  try {
    await copyTree(copy);
    await t.step("finds nothing wrong with the code as it stands", async () => {
      const { code, text } = await prove(copy);
      assert.equal(code, 0, text);
      assert.match(text, /^proved: /m);
    });
    for (const { what, file, from, to, says } of MISTAKES) {
      await t.step(`finds ${what}`, async () => {
        const path = `${copy}/${file}`;
        const sound = await Deno.readTextFile(path);
        const mistaken = sound.replace(from, to);
        assert.notEqual(mistaken, sound, `nothing to mistake in ${file}`);
        await Deno.writeTextFile(path, mistaken);
        const { code, text } = await prove(copy);
        await Deno.writeTextFile(path, sound);
        assert.equal(code, 1, text);
        assert.match(text, says);
      });
    }
  } finally {
    await Deno.remove(copy, { recursive: true });
  }
});

async function prove(folder: string): Promise<{ code: number; text: string }> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--no-check", "main.ts", "prove", "-conf", "Corefile.example", "-subsets", "1"],
    cwd: folder,
    env: { NO_COLOR: "1" },
  }).output();
  const decoder = new TextDecoder();
  return { code, text: decoder.decode(stdout) + decoder.decode(stderr) };
}

async function copyTree(to: string): Promise<void> {
  const parts = [
    "core",
    "plugins",
    "zones",
    "main.ts",
    "deno.json",
    "deno.lock",
    "Corefile.example",
    "nodes.yaml",
    "networks.yaml",
  ];
  for (const part of parts) await copyPath(`${ROOT}${part}`, `${to}/${part}`);
}

async function copyPath(from: string, to: string): Promise<void> {
  if ((await Deno.stat(from)).isFile) return await Deno.copyFile(from, to);
  await Deno.mkdir(to);
  for await (const { name } of Deno.readDir(from)) await copyPath(`${from}/${name}`, `${to}/${name}`);
}
