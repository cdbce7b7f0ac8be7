/**
 * A server of our own that is asked all the while: how long until it answers, how long it is silent, what it answers.
 *
 * @module
 */

const MAIN = new URL("../../main.ts", import.meta.url).pathname;

/** How often it is asked, milliseconds. */
const EVERY_MS = 1;

/** One that runs. */
export class AskedServer {
  /** From the start of the process to the first answer, seconds. */
  readonly seconds: number;
  readonly #child: Deno.ChildProcess;
  readonly #socket: Deno.DatagramConn;
  readonly #to: Deno.NetAddr;
  readonly #name: string;
  #lines = "";
  #answeredMs = 0;
  #longestMs = 0;
  /** The serial that was answered last. */
  #serial: number | undefined;

  private constructor(child: Deno.ChildProcess, port: number, name: string, seconds: number) {
    [this.#child, this.#name, this.seconds] = [child, name, seconds];
    this.#to = { transport: "udp", hostname: "127.0.0.1", port };
    this.#socket = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
    void this.#hear();
    void this.#readLines(child.stdout);
    void this.#readLines(child.stderr);
  }

  /** Starts it and asks for the address of `name` until it answers. @throws {Error} When it ends before that. */
  static async start(corefile: string, port: number, name: string): Promise<AskedServer> {
    const begunMs = performance.now();
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--no-check", MAIN, "serve", "-quiet", "-conf", corefile],
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    let code: number | undefined;
    child.status.then((status) => code = status.code);
    const socket = Deno.listenDatagram({ transport: "udp", hostname: "127.0.0.1", port: 0 });
    const answered = socket.receive().then(() => true, () => false);
    try {
      for (;;) {
        if (code !== undefined) throw new Error(`The server ended with code ${code} before it answered`);
        await socket.send(question(name, TYPE_A), { transport: "udp", hostname: "127.0.0.1", port }).catch(
          () => {},
        );
        if (await Promise.race([answered, pause(5).then(() => false)])) break;
      }
    } finally {
      socket.close();
    }
    return new AskedServer(child, port, name, (performance.now() - begunMs) / 1000);
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** Asks again and again until `work` is done. @returns The longest time without an answer, milliseconds. */
  async longestSilenceMs(work: Promise<unknown>): Promise<number> {
    let isDone = false;
    work.finally(() => isDone = true).catch(() => {});
    this.#answeredMs = performance.now();
    this.#longestMs = 0;
    while (!isDone) {
      await this.#ask(this.#name, TYPE_A);
      await pause(EVERY_MS);
    }
    await work;
    return this.#longestMs;
  }

  /** Has it read its Corefile again; resolves when it says that it has. */
  async reload(): Promise<void> {
    this.#lines = "";
    this.#child.kill("SIGHUP");
    while (!this.#lines.includes("eloaded (")) await pause(5);
    if (this.#lines.includes("Not reloaded")) throw new Error(this.#lines);
  }

  /** Resolves when a zone has this serial. */
  async serialIs(origin: string, serial: number): Promise<void> {
    while (this.#serial !== serial) {
      await this.#ask(origin, TYPE_SOA);
      await pause(5);
    }
  }

  async end(): Promise<void> {
    this.#child.kill("SIGTERM");
    await this.#child.status;
    this.#socket.close();
  }

  async #ask(name: string, type: number): Promise<void> {
    await this.#socket.send(question(name, type), this.#to).catch(() => {});
  }

  async #hear(): Promise<void> {
    for await (const [octets] of this.#socket) {
      if (octets[1] === TYPE_SOA) {
        this.#serial = new DataView(octets.buffer, octets.byteOffset).getUint32(octets.length - 20);
        continue;
      }
      const nowMs = performance.now();
      this.#longestMs = Math.max(this.#longestMs, nowMs - this.#answeredMs);
      this.#answeredMs = nowMs;
    }
  }

  async #readLines(stream: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<void> {
    for await (const text of stream.pipeThrough(new TextDecoderStream())) {
      // What a server of ten thousand zones says of each of them is not wanted.
      this.#lines = (this.#lines + text).slice(-4096);
    }
  }
}

const TYPE_A = 1, TYPE_SOA = 6;

/** A question in wire format; its ID is the type asked for. */
function question(name: string, type: number): Uint8Array {
  const labels = name.split(".").flatMap((label) => [label.length, ...new TextEncoder().encode(label)]);
  return Uint8Array.of(0, type, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, ...labels, 0, 0, type, 0, 1);
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
