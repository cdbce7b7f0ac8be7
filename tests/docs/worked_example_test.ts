/** The tutorial, line by line, and what it says of its plugin. */

import assert from "node:assert/strict";
import { ManualClock } from "../../core/clock.ts";
import { RCODE } from "../../core/dns/types.ts";
import { havePackages } from "../../scripts/packages.ts";
import { withFolder } from "../command/meridian.ts";
import { freePort, startServer } from "../support/server.ts";
import { until } from "../support/until.ts";

const GUIDE = "docs/TUTORIAL.md";
const ROOT = new URL("../../", import.meta.url).pathname;

/** A fenced block: a file that is to be written, or commands with what they print. */
type Step = { readonly file: string; readonly text: string } | { readonly commands: string };

/** Blocks in the order in which a person comes to them; a file's name stands before its block. */
function steps(): Step[] {
  const guide = Deno.readTextFileSync(GUIDE);
  return [...guide.matchAll(/([^]*?)^```(\w+)\n([^]*?)^```$/gm)].map(([, before, kind, text]) => {
    if (kind === "console") return { commands: text! };
    const files = [...before!.matchAll(/`([\w./]+)`[^`]*:\n+$|Replace `([\w./]+)`/g)];
    const file = files.at(-1);
    assert.ok(file, `${GUIDE}: a block that is no file of the reader's: ${text}`);
    return { file: (file[1] ?? file[2])!, text: text! };
  });
}

/** A command and the lines that it shall print. */
function commandsIn(text: string): { command: string; printed: string }[] {
  return text.split(/^\$ /m).slice(1).map((part) => {
    const [command, ...lines] = part.trimEnd().split("\n");
    return { command: command!, printed: lines.join("\n") };
  });
}

/** Whether a text is as written; `…` stands for anything, and blanks for as many. */
function isAsWritten(text: string, written: string): boolean {
  const parts = written.trim().split("…").map((part) =>
    part.trim().split(/\s+/).map(RegExp.escape).join("\\s+")
  );
  return new RegExp(`^\\s*${parts.join("[^]*")}\\s*$`).test(text);
}

/** The servers that a reader leaves running. */
class Reader implements AsyncDisposable {
  readonly #folder: string;
  readonly #port = freePort();
  readonly #started: Deno.ChildProcess[] = [];

  constructor(folder: string) {
    this.#folder = folder;
  }

  async take(step: Step): Promise<void> {
    if ("file" in step) {
      await Deno.writeTextFile(`${this.#folder}/${step.file}`, this.#ported(step.file, step.text));
      return;
    }
    for (const { command, printed } of commandsIn(step.commands)) await this.#run(command, printed);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const child of this.#started) {
      child.kill("SIGTERM");
      await child.status;
    }
  }

  /** Tests of a plugin have ports of their own. */
  #ported(file: string, text: string): string {
    return file.endsWith(".ts") ? text : text.replaceAll("1053", `${this.#port}`);
  }

  async #run(command: string, printed: string): Promise<void> {
    const line = command.replaceAll("1053", `${this.#port}`);
    if (line.endsWith(" &")) return await this.#start(line.slice(0, -2));
    const { stdout, stderr } = await this.#shell(line).output();
    const output = new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr);
    assert.ok(isAsWritten(output, this.#ported("", printed)), `${GUIDE}: ${command} printed: ${output}`);
  }

  async #start(line: string): Promise<void> {
    const child = this.#shell(`exec ${line}`).spawn();
    this.#started.push(child);
    let said = "";
    const read = async (stream: ReadableStream<Uint8Array>) => {
      for await (const text of stream.pipeThrough(new TextDecoderStream())) said += text;
    };
    void read(child.stdout);
    void read(child.stderr);
    await until(`a greeting: ${said}`, () => /^Meridian-/m.test(said));
  }

  #shell(line: string): Deno.Command {
    return new Deno.Command("sh", {
      args: ["-c", line],
      cwd: this.#folder,
      env: { NO_COLOR: "1", PATH: `${this.#folder}/.bin:${Deno.env.get("PATH")}` },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    });
  }
}

/** A folder where `meridian` is a command. */
async function withReader(body: (reader: Reader, folder: string) => Promise<void>): Promise<void> {
  await withFolder({}, async (folder) => {
    const run = `"${Deno.execPath()}" run -A --no-check --quiet --config="${ROOT}deno.json" "${ROOT}main.ts"`;
    await Deno.mkdir(`${folder}/.bin`);
    await Deno.writeTextFile(`${folder}/.bin/meridian`, `#!/bin/sh\nexec ${run} "$@"\n`, { mode: 0o755 });
    await using reader = new Reader(folder);
    await body(reader, folder);
  });
}

Deno.test(`what ${GUIDE} tells a reader to do does what it says`, async () => {
  if (!await havePackages(["bind9-dnsutils"])) return;
  assert.ok(steps().length >= 9, `${GUIDE} has ${steps().length} steps`);
  await withReader(async (reader) => {
    for (const step of steps()) await reader.take(step);
  });
});

/** The folder of a reader who has come as far as the plugin. */
async function withExample(body: (folder: string) => Promise<void>): Promise<void> {
  await withReader(async (reader, folder) => {
    const [begin, plugin] = steps();
    assert.ok("commands" in begin! && "file" in plugin!);
    await reader.take({ commands: begin.commands.split(/^\$ meridian plugin test/m)[0]! });
    await reader.take(plugin);
    await body(folder);
  });
}

Deno.test(`the plugin in ${GUIDE} has no type errors, and lint has nothing to say`, async () => {
  await withExample(async (folder) => {
    for (const args of [["check", "--quiet", "retired"], ["lint", "--quiet", "retired"]]) {
      const { code, stderr } = await new Deno.Command(Deno.execPath(), { args, cwd: folder }).output();
      assert.equal(code, 0, new TextDecoder().decode(stderr));
    }
  });
});

Deno.test(`the plugin in ${GUIDE} gives up a name, and has nobody remember it for longer`, async () => {
  await withExample(async (folder) => {
    const clock = new ManualClock(Date.parse("2026-11-30"));
    const server = await startServer(
      `{
    state off
    plugin ${folder}/retired/mod.ts
}
anycast.example:1053 {
    bind 127.0.0.1
    retired www.anycast.example 2026-12-01
    ttl 5 60
    file zones/anycast.example.zone
}
`,
      { clock, workers: 0 },
    );
    const ask = async (name: string) => {
      const { rcode, answer } = await server.ask(name);
      return [rcode, answer[0]?.ttl];
    };
    try {
      assert.deepEqual(await ask("www.anycast.example"), [RCODE.NOERROR, 60]);
      clock.advanceTo(Date.parse("2026-12-01") - 20_000);
      assert.deepEqual(await ask("www.anycast.example"), [RCODE.NOERROR, 20]);
      assert.deepEqual(await ask("mail.anycast.example"), [RCODE.NOERROR, 3600]);
      assert.ok(!server.logged.some((line) => line.includes("is given up")));
      clock.advance(20_000);
      assert.deepEqual(await ask("www.anycast.example"), [RCODE.NXDOMAIN, undefined]);
      assert.ok(server.logged.includes("info: retired: www.anycast.example. is given up"));
    } finally {
      await server.close();
    }
  });
});

Deno.test("the plugin in docs/PLUGINS.md loads, and does what it is called", async () => {
  const [, text] = /^```js\n([^]*?)^```$/m.exec(Deno.readTextFileSync("docs/PLUGINS.md"))!;
  await withFolder({ "silence.js": text! }, async (folder) => {
    const corefile =
      `{\n state off\n plugin ${folder}/silence.js\n}\n.:1053 {\n bind 127.0.0.1\n silence\n log\n}\n`;
    const server = await startServer(corefile, { workers: 0 });
    try {
      await assert.rejects(server.ask("www.example.org", "A", { timeoutMs: 300 }), /No reply within/);
      assert.deepEqual(server.server.configuration.blocks[0]!.facts.plugins.slice(0, 2), ["silence", "log"]);
    } finally {
      await server.close();
    }
  });
});
