/**
 * Runs the command line as people do: in a process of its own, in a folder of its own.
 *
 * @module
 */

import { freePort } from "../support/server.ts";
import { until } from "../support/until.ts";

/** The repository, with a slash at the end. */
export const ROOT = new URL("../../", import.meta.url).pathname;

/** What a command that has ended left. */
export interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** A folder with some files, removed in the end. */
export async function withFolder(
  files: Readonly<Record<string, string>>,
  body: (folder: string) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    for (const [name, text] of Object.entries(files)) await Deno.writeTextFile(`${folder}/${name}`, text);
    await body(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Runs a command to its end. */
export async function meridian(folder: string, ...args: string[]): Promise<Ended> {
  const { code, stdout, stderr } = await command(folder, args).output();
  return { code, stdout: new TextDecoder().decode(stdout), stderr: new TextDecoder().decode(stderr) };
}

type Variables = Readonly<Record<string, string>>;

/** A server in a process. */
export class ServeProcess implements AsyncDisposable {
  readonly port: number;
  readonly #child: Deno.ChildProcess;
  readonly #reading: Promise<unknown>;
  #output = "";
  #ended: Deno.CommandStatus | undefined;

  private constructor(folder: string, port: number, args: readonly string[], env: Variables) {
    this.port = port;
    this.#child = command(folder, ["serve", ...args], env).spawn();
    this.#reading = Promise.all([this.#read(this.#child.stdout), this.#read(this.#child.stderr)]);
    this.#child.status.then((status) => this.#ended = status);
  }

  /** Starts `corefile`, every 1053 in it replaced by a free port, and waits until it says that it serves. */
  static start(folder: string, corefile: string, ...args: string[]): Promise<ServeProcess> {
    return ServeProcess.startWith({}, folder, corefile, ...args);
  }

  /** The same, with more in its environment. */
  static async startWith(
    env: Variables,
    folder: string,
    corefile: string,
    ...args: string[]
  ): Promise<ServeProcess> {
    const port = freePort();
    await Deno.writeTextFile(`${folder}/Corefile`, corefile.replaceAll(/\b1053\b/g, `${port}`));
    const process = new ServeProcess(folder, port, args, env);
    try {
      await until("a greeting", () => {
        if (process.#ended) throw new Error("The server ended");
        // In JSON it stands within objects.
        return /^(.*")?Meridian-.*\n.*, deno .*\n/m.test(process.#output);
      });
    } catch (error) {
      throw new Error(`${(error as Error).message}; it said: ${process.#output}`);
    }
    return process;
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** Standard output and standard error so far. */
  get output(): string {
    return this.#output;
  }

  /** Waits until what it has said matches: a pipe may be slower than what is answered. */
  async says(text: RegExp): Promise<void> {
    await until(`${text} to be said`, () => text.test(this.#output)).catch((error) => {
      throw new Error(`${error.message}; it said: ${this.#output}`);
    });
  }

  kill(signal: Deno.Signal): void {
    if (!this.#ended) this.#child.kill(signal);
  }

  /** Its exit code, or the signal that ended it, once it has ended by itself. */
  async end(): Promise<number | string> {
    await until("the server to end", () => this.#ended !== undefined);
    await this.#reading;
    return this.#ended!.signal ?? this.#ended!.code;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.kill("SIGKILL");
    await this.#child.status;
    await this.#reading;
  }

  async #read(stream: ReadableStream<Uint8Array>): Promise<void> {
    for await (const text of stream.pipeThrough(new TextDecoderStream())) this.#output += text;
  }
}

/** The program under test: MERIDIAN_BINARY where that is set, else the sources. */
function command(cwd: string, args: readonly string[], env: Variables = {}): Deno.Command {
  const binary = Deno.env.get("MERIDIAN_BINARY");
  const source = ["run", "-A", "--no-check", "--quiet", `--config=${ROOT}deno.json`, `${ROOT}main.ts`];
  return new Deno.Command(binary ?? Deno.execPath(), {
    args: [...binary === undefined ? source : [], ...args],
    cwd,
    env: { NO_COLOR: "1", ...env },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  });
}
