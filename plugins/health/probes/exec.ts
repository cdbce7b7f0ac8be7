/** Does a command of the operator's say that an address is well? @module */

import type { ExecCheck } from "../check.ts";
import { runCommand } from "./command.ts";
import type { Attempt } from "./attempt.ts";

/** Runs the command with the address in MERIDIAN_ADDRESS and in place of `{address}`; 0 is well. */
export const probeExec: Attempt<ExecCheck> = async (address, check, signal) => {
  const args = check.args.map((arg) => arg.replaceAll("{address}", address));
  const { code, output } = await runCommand(check.command, args, { MERIDIAN_ADDRESS: address }, signal);
  const said = output.trim().split("\n", 1)[0]!.slice(0, 160);
  const reason = said ? `exit code ${code}: ${said}` : `exit code ${code}`;
  if (code !== 0) throw new Error(reason);
  return { reason };
};
