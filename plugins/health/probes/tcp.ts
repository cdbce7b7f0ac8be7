/** Does an address accept a TCP connection? @module */

import type { TcpCheck } from "../check.ts";
import type { Attempt } from "./attempt.ts";

/** Connects, and closes again without a word. */
export const probeTcp: Attempt<TcpCheck> = async (address, { port }, signal) => {
  const connection = await Deno.connect({ hostname: address, port, signal });
  connection.close();
  return { reason: "connected" };
};
