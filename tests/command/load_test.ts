import assert from "node:assert/strict";
import { loadCorefile, readAgain, showProblems } from "../../core/command/load.ts";
import { Problems } from "../../core/plugin.ts";
import { plugins } from "../../plugins/mod.ts";

/** With a FIFO that nobody writes to. */
async function withFifo(test: (fifo: string) => void | Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await new Deno.Command("mkfifo", { args: [`${folder}/fifo`] }).output();
    await test(`${folder}/fifo`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

const NAMING_FILES = [
  "import FILE",
  "geo FILE",
  "geo {\n networks FILE\n }",
  "anycast a.example {\n nodes FILE\n }",
  "forward . FILE",
  "forward . tls://127.0.0.1 {\n tls FILE\n }",
  "health {\n check https 443 / ca FILE\n }",
  "cookie {\n secret file FILE\n }",
  "hosts FILE",
  "file FILE",
  "loadbalance weighted FILE",
];

for (const line of NAMING_FILES) {
  Deno.test(`nobody waits for a pipe or reads a device to its end: ${line.replaceAll("\n", "")}`, async () => {
    await withFifo(async (fifo) => {
      for (const path of [fifo, "/dev/zero"]) {
        const text = `.:1053 {\n bind 127.0.0.1\n ${line.replace("FILE", path)}\n whoami\n}\n`;
        const { problems } = await loadCorefile({ file: "Corefile", text }, plugins, 53);
        assert.match(problems.errors.map(({ message }) => message).join("\n"), new RegExp(path));
      }
    });
  });
}

Deno.test("showProblems() tells what is wrong with a file that cannot be read", async () => {
  await withFifo((fifo) => {
    const problems = new Problems();
    problems.warn({ file: fifo, line: 1, column: 1 }, "it is a pipe");
    const shown = showProblems({ problems, sources: new Map() }, { isTerminal: () => false });
    assert.match(shown, /it is a pipe/);
  });
});

Deno.test("readAgain() waits for no pipe, which may be what the server was started from", async () => {
  await withFifo((fifo) => {
    assert.throws(() => readAgain({ file: fifo, text: "" }), /a FIFO, a device or a socket/);
  });
});
