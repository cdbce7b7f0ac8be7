/** `meridian agent`: what a node runs to be one of the fleet. @module */

import type * as Main from "../agent/main.ts";
import type { Command } from "./mod.ts";

/** Loaded when it is asked for: a server does without. */
const MAIN = new URL("../agent/main.ts", import.meta.url);

/** The command. */
export const agent: Command = {
  usage: "agent [-config FILE] [-server URL] [-join-token FILE] [-once] [-json]",
  summary: "make this machine a node: register, send heartbeats, answer health checks, drain and leave",
  flags: {
    config: { value: "FILE", help: "what the node is, and its servers (agent.yaml)" },
    server: { value: "URL", help: "a server to speak to before those of the file" },
    "join-token": { value: "FILE", help: "a file with the token by which it may join at first" },
    once: { help: "register, send one heartbeat, print the status and end: 0 when it was heard, else 1" },
    json: { help: "print the status, and log, as JSON objects" },
  },
  async run({ values }) {
    const { runAgent } = await import(MAIN.href) as typeof Main;
    const { server, "join-token": joinToken } = values as Record<string, string | undefined>;
    return await runAgent({
      config: (values.config as string | undefined) ?? "agent.yaml",
      ...server !== undefined && { server },
      ...joinToken !== undefined && { joinToken },
      once: values.once === true,
      json: values.json === true,
    });
  },
};
