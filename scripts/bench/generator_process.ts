/** The load generator as a process of its own, on processor 1. @module */

import type { Job } from "./generator.ts";
import { linesOf } from "./lines.ts";
import type { LoadFigures, PacedFigures } from "./load.ts";
import type { Pin } from "./process.ts";

type Work = Omit<Job, "window" | "rate">;

/** Takes jobs one at a time. */
export class Generator implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #jobs: WritableStreamDefaultWriter<Uint8Array>;
  readonly #figures: AsyncGenerator<string, void>;

  /** Starts it. */
  constructor(pin: Pin) {
    const script = new URL("./generator.ts", import.meta.url).pathname;
    const [program, ...args] = pin(1, [Deno.execPath(), "run", "-A", "--no-check", script]);
    this.#child = new Deno.Command(program!, { args, stdin: "piped", stdout: "piped" }).spawn();
    this.#jobs = this.#child.stdin.getWriter();
    this.#figures = linesOf(this.#child.stdout);
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** Closed loop. */
  push(job: Work & { readonly window: number }): Promise<LoadFigures> {
    return this.#do(job);
  }

  /** Open loop. */
  pace(job: Work & { readonly rate: number }): Promise<PacedFigures> {
    return this.#do(job) as Promise<PacedFigures>;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#jobs.close();
    await this.#child.status;
  }

  async #do(job: Job): Promise<LoadFigures> {
    await this.#jobs.write(new TextEncoder().encode(`${JSON.stringify(job)}\n`));
    const { value } = await this.#figures.next();
    if (value === undefined) throw new Error("The load generator has ended");
    return JSON.parse(value);
  }
}
