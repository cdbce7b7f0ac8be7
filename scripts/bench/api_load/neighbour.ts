/**
 * The neighbour: another program, which has nothing to do with Meridian, hears the same heartbeats where Meridian's fleet isolate
 * would hear them. What any busy program on such a machine costs queries shows beside it.
 *
 * It answers HTTP as bare as it comes, does some work for each heartbeat, and goes as far behind others as the fleet isolate
 * does, by its nice value.
 *
 * @module
 */

import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { moveThread, type Pin, threadsOf } from "../process.ts";

/**
 * How often what a heartbeat says is read and written again. So often, a heartbeat takes about as much of a processor as in the
 * fleet isolate: a fifth of a millisecond, most of it HTTP there as here.
 */
const REPEATS = 80;

/** As the fleet isolate has while nothing waits: `core/server/data_plane/time_slice.ts`. */
const NICE = 19;

/** The program, running. */
export class Neighbour implements AsyncDisposable {
  readonly port: number;
  readonly #child: Deno.ChildProcess;

  private constructor(child: Deno.ChildProcess, port: number) {
    [this.#child, this.port] = [child, port];
  }

  /** Starts it on a processor; it listens when this is done. @throws {Error} When it does not. */
  static async start(pin: Pin, processor: string): Promise<Neighbour> {
    const program = ["run", "--no-check", "--allow-net=127.0.0.1", import.meta.filename!];
    const [command, ...args] = pin(processor, ["nice", "-n", `${NICE}`, Deno.execPath(), ...program]);
    const child = new Deno.Command(command!, { args, stdin: "null", stdout: "piped" }).spawn();
    for await (const said of child.stdout) {
      return new Neighbour(child, Number(new TextDecoder().decode(said)));
    }
    await child.status;
    throw new Error("the neighbour cannot be started");
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** Processor time so far of the thread that hears, nanoseconds; of garbage others take care, as in Meridian. */
  get cpuNs(): number {
    return threadsOf(this.pid).get(this.pid)?.cpuNs ?? 0;
  }

  async move(processor: string): Promise<void> {
    await moveThread(this.pid, processor, "--all-tasks");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#child[Symbol.asyncDispose]();
  }
}

/** Answers heartbeats until it is ended; says first at which port. */
function hear(): void {
  const server = createServer(answer);
  server.listen(0, "127.0.0.1", () => console.log((server.address() as AddressInfo).port));
}

function answer(request: IncomingMessage, response: ServerResponse): void {
  let said = "";
  request.setEncoding("utf8").on("data", (chunk: string) => said += chunk);
  // Of whoever goes before that nothing is heard: the sender waits for no more than two seconds.
  request.on("end", () => {
    for (let i = 0; i < REPEATS; i++) said = JSON.stringify(JSON.parse(said));
    response.setHeader("Content-Type", "application/json");
    response.end(said);
  });
}

if (import.meta.main) hear();
