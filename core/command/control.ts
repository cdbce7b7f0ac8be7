/** Asks the running server over its control socket. @module */

import { askControl, type ControlOptions } from "../server/control_socket.ts";
import { UsageError } from "./flags.ts";

/** Where a server listens when its Corefile says nothing, seen from the Corefile's folder. */
export const DEFAULT_CONTROL_SOCKET = ".meridian/control.sock";

/** The server's answer to a command. @throws {UsageError} When nobody listens there, or the server says no. */
export async function askServer<T>(
  path = DEFAULT_CONTROL_SOCKET,
  command: string,
  params?: unknown,
  options?: ControlOptions,
): Promise<T> {
  const reply = await askControl(path, command, params, options);
  if ("error" in reply) {
    const isUnnamed = path === DEFAULT_CONTROL_SOCKET && reply.error.startsWith("Cannot reach");
    throw new UsageError(reply.error + (isUnnamed ? " A socket elsewhere takes -control PATH" : ""));
  }
  return reply.result as T;
}
