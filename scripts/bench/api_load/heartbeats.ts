/** Sends heartbeats over HTTP, to Meridian or to whoever else hears them. @module */

import type { Figures } from "../load.ts";
import type { Pin } from "../process.ts";

/** Which heartbeats. */
export interface Heartbeats {
  /** `native/beats.c`, compiled. */
  readonly program: string;
  /** Who is to hear them, on loopback. */
  readonly port: number;
  readonly seconds: number;
  /** A second. */
  readonly rate: number;
  /** A file: a line for each node with its id and its credential. */
  readonly nodes: string;
  /** The node that has the first turn. */
  readonly first: number;
}

/** Kept meanwhile; a server takes 512 of one address. */
const CONNECTIONS = 128;

/** Sends them from processor 1. @throws {Error} When nobody hears them. */
export async function sendHeartbeats(
  { program, port, seconds, rate, nodes, first }: Heartbeats,
  pin: Pin,
): Promise<Figures> {
  const [command, ...args] = pin(1, [
    ...[program, "-p", `${port}`, "-l", `${seconds}`, "-R", `${rate}`],
    ...["-s", `${CONNECTIONS}`, "-f", nodes, "-b", `${first}`],
  ]);
  const { success, stdout } = await new Deno.Command(command!, { args, stderr: "inherit" }).output();
  if (!success) throw new Error("heartbeats could not be sent");
  return JSON.parse(new TextDecoder().decode(stdout));
}
