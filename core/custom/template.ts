/**
 * The files of a new plugin, as `meridian plugin new` writes them: they run as they stand, and are in form for `deno fmt` with
 * its defaults, whose lines are shorter than ours.
 *
 * @module
 */

/** What is written where: the text of each file by its name. `command` is how the server is started here. */
export function newPluginFiles(name: string, command: readonly string[]): Record<string, string> {
  return {
    "mod.ts": moduleText(name),
    "mod_test.ts": testText(name),
    "README.md": readmeText(name),
    "Corefile": corefileText(name),
    "test_server.ts": testServerText(command),
  };
}

function moduleText(name: string): string {
  return `/**
 * ${name}: answers TXT queries for a name with a text. Syntax: README.md.
 *
 * @module
 */

import type {
  Answer,
  MakePlugin,
  Meridian,
  Name,
  Options,
} from "./meridian.d.ts";

/** What is read from the Corefile. Plain data: it is copied to workers. */
interface Greeting {
  readonly name: Name;
  readonly text: string;
}

export default ((meridian) => {
  const { Arguments, readName, readOptions, TYPE } = meridian;

  return {
    api: 1,
    name: "${name}",
    usage: "${name} NAME",
    options,
    before: "file",

    parse: (directives, { problems }) =>
      directives.flatMap((directive) => {
        const { text = "hello" } = readOptions(directive, options, problems);
        const args = new Arguments(directive);
        const name = problems.attempt(() => readName(args.token("NAME")));
        problems.attempt(() => args.end());
        return name === undefined ? [] : [{ name, text }];
      }),

    answerer: (greetings) => ({
      name: "${name}",
      answer(context, next) {
        const greeting = greetings.find(({ name }) => name === context.name);
        return greeting && context.question.type === TYPE.TXT
          ? greet(meridian, greeting)
          : next(context);
      },
    }),
  };
}) satisfies MakePlugin<readonly Greeting[]>;

/** The options of its block. */
const options = {
  text: { usage: "text TEXT", read: (args) => args.word("TEXT") },
} satisfies Options;

/** One TXT record, which nothing but an edit of the Corefile changes. */
export function greet(
  { emptyAnswer, parseRRsets, RCODE }: Meridian,
  { name, text }: Greeting,
): Answer {
  return emptyAnswer(RCODE.NOERROR, {
    authoritative: true,
    answer: parseRRsets(\`@ 60 TXT \${JSON.stringify(text)}\`, name),
  });
}
`;
}

function testText(name: string): string {
  return `import assert from "node:assert/strict";
import { startServer } from "./test_server.ts";

const COREFILE = \`
example.org:1053 {
    bind 127.0.0.1
    ${name} hello.example.org {
        text "good day"
    }
}
\`;

Deno.test("${name} answers TXT queries for its name", async () => {
  await using server = await startServer(COREFILE);
  const { rcode, answer } = await server.ask("hello.example.org", "TXT");
  assert.equal(rcode, "NOERROR");
  assert.deepEqual(answer, ['hello.example.org. 60 IN TXT "good day"']);
});

Deno.test("${name} leaves other names and types to others", async () => {
  await using server = await startServer(COREFILE);
  for (const [name, type] of [["example.org", "TXT"], ["hello.example.org"]]) {
    assert.equal((await server.ask(name!, type)).rcode, "REFUSED");
  }
});

Deno.test("${name} points at a name that is none", async () => {
  await assert.rejects(
    startServer("example.org:1053 {\\n    ${name} a..example\\n}\\n"),
    /Corefile:6:${name.length + 6}: Cannot read name "a\\.\\.example"/,
  );
});
`;
}

function readmeText(name: string): string {
  return `# ${name}

## Name

_${name}_ - answers TXT queries for a name with a text.

## Description

A client that asks for the TXT records of **NAME** gets one record. Every other
query goes on to the plugins below.

## Syntax

\`\`\`
${name} NAME {
    text TEXT
}
\`\`\`

- \`text TEXT\` what is answered. Default \`hello\`.

## Examples

\`\`\`corefile
{
    plugin mod.ts
}

example.org:1053 {
    bind 127.0.0.1
    ${name} hello.example.org {
        text "good day"
    }
}
\`\`\`
`;
}

function corefileText(name: string): string {
  return `{
    plugin mod.ts
}

example.org:1053 {
    bind 127.0.0.1
    log
    errors
    ${name} hello.example.org {
        text "good day"
    }
}
`;
}

function testServerText(command: readonly string[]): string {
  return `/**
 * Starts a whole server with this plugin in it, and asks it.
 *
 * @module
 */

/** How Meridian is started; the environment's MERIDIAN comes first. */
const COMMAND = Deno.env.get("MERIDIAN")?.split(" ") ?? ${listOf(command)};

/** An answer, each record as a line of a zone file. */
export interface Asked {
  readonly rcode: string;
  readonly answer: readonly string[];
  readonly authority: readonly string[];
  readonly additional: readonly string[];
  readonly scopePrefixLength?: number;
  readonly decisions: readonly { plugin: string; what: string }[];
}

/** A running server. */
export interface TestServer extends AsyncDisposable {
  /** For clients of your own. */
  readonly port: number;
  /** What it has printed so far. */
  readonly output: () => string;
  /** Asks, as a client in the network \`client\` would. */
  ask(name: string, type?: string, client?: string): Promise<Asked>;
}

/**
 * Serves \`corefile\`, which has no global options, and in which 1053 stands for
 * a port that is free.
 *
 * @throws With all that the server said, when it does not start.
 */
export async function startServer(corefile: string): Promise<TestServer> {
  const folder = await Deno.makeTempDir();
  const port = freePort();
  const globals =
    \`{\\n    plugin \${import.meta.dirname}/mod.ts\\n    state state\\n}\\n\`;
  const text = globals + corefile.trimStart().replaceAll("1053", \`\${port}\`);
  await Deno.writeTextFile(\`\${folder}/Corefile\`, text);
  const [program, ...args] = COMMAND;
  const process = new Deno.Command(program!, {
    args: [...args, "serve"],
    cwd: folder,
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    env: { NO_COLOR: "1" },
  }).spawn();
  let output = "";
  const { promise: greeted, resolve } = Promise.withResolvers<void>();
  const read = async (stream: ReadableStream<Uint8Array>) => {
    for await (const chunk of stream.pipeThrough(new TextDecoderStream())) {
      output += chunk;
      if (/^Meridian-.*\\n.*\\n/m.test(output)) resolve();
    }
  };
  const reading = Promise.all([read(process.stdout), read(process.stderr)]);
  const ended = reading.then(() => process.status);
  const stop = async () => {
    try {
      process.kill();
    } catch { /* it has ended */ }
    await ended;
    await Deno.remove(folder, { recursive: true });
  };
  if (await Promise.race([ended, greeted])) {
    await stop();
    throw new Error(\`The server did not start: \${output}\`);
  }
  return {
    port,
    output: () => output,
    ask: (name, type = "A", client) =>
      explain(\`\${folder}/state/control.sock\`, { name, type, client }),
    [Symbol.asyncDispose]: stop,
  };
}

/** What the server would answer, from the very code that answers. */
async function explain(path: string, params: unknown): Promise<Asked> {
  using socket = await Deno.connect({ transport: "unix", path });
  const line = JSON.stringify({ command: "explain", params });
  await socket.write(new TextEncoder().encode(line + "\\n"));
  const text = socket.readable.pipeThrough(new TextDecoderStream());
  let reply = "";
  for await (const chunk of text) {
    reply += chunk;
    if (reply.endsWith("\\n")) break;
  }
  const { result, error } = JSON.parse(reply);
  if (error) throw new Error(error);
  return result;
}

function freePort(): number {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  return listener.addr.port;
}
`;
}

/** A list of words as TypeScript in form: on one line where that fits. */
function listOf(words: readonly string[]): string {
  const one = `[${words.map((word) => JSON.stringify(word)).join(", ")}]`;
  return one.length <= 80 - 'const COMMAND = Deno.env.get("MERIDIAN")?.split(" ") ?? ;'.length
    ? one
    : `[\n${words.map((word) => `  ${JSON.stringify(word)},\n`).join("")}]`;
}
