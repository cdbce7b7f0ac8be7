/** Runs a command without a shell, with its output bounded and its end certain. @module */

import { LocalFault } from "./attempt.ts";

/** How a command ended. */
export interface CommandEnd {
  readonly code: number;
  /** The first octets of its standard output, as text. */
  readonly output: string;
}

const OUTPUT_OCTETS = 4096;

/**
 * Runs `command`; killed, with every process it started, when `signal` aborts.
 *
 * @throws {LocalFault} When it cannot be started.
 */
export async function runCommand(
  command: string,
  args: readonly string[],
  env: Record<string, string>,
  signal: AbortSignal,
): Promise<CommandEnd> {
  const child = spawn(command, args, env);
  const output = firstOctets(child.stdout);
  const kill = () => killGroup(child);
  signal.addEventListener("abort", kill, { once: true });
  if (signal.aborted) kill();
  const { code } = await child.status;
  signal.removeEventListener("abort", kill);
  // A process that it left behind may hold the pipe open.
  const text = await Promise.race([output.text, afterTurn().then(() => output.sofar())]);
  await output.stop();
  return { code, output: text };
}

function spawn(command: string, args: readonly string[], env: Record<string, string>) {
  try {
    return new Deno.Command(command, {
      args: [...args],
      env,
      stdin: "null",
      stdout: "piped",
      stderr: "null",
      detached: true,
    }).spawn();
  } catch (error) {
    throw new LocalFault(`cannot run ${command}: ${(error as Error).message}`);
  }
}

/** Detached, the child leads a process group of its own. */
function killGroup({ pid }: Deno.ChildProcess): void {
  for (const target of [-pid, pid]) {
    try {
      return Deno.kill(target, "SIGKILL");
    } catch {
      // It has ended already, or groups cannot be killed here.
    }
  }
}

/** Reads to the end, so that the command never waits for a reader, and keeps the beginning. */
function firstOctets(stream: ReadableStream<Uint8Array>) {
  const reader = stream.getReader();
  const decoder = new TextDecoder();
  let text = "";
  const readAll = async () => {
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return text;
      if (text.length < OUTPUT_OCTETS) {
        text += decoder.decode(value.subarray(0, OUTPUT_OCTETS), { stream: true });
      }
    }
  };
  const all = readAll().catch(() => text);
  return { text: all, sofar: () => text, stop: () => reader.cancel().catch(() => {}) };
}

function afterTurn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 20));
}
