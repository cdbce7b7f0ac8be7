/** `meridian explain NAME TYPE`: what a client would be answered, and every reason for it. @module */

import { explain as explainQuery, type ExplainRequest, type Explanation } from "../explain.ts";
import { fold, parseName } from "../dns/name.ts";
import { TYPE, typeFromText } from "../dns/types.ts";
import type { State } from "../fleet/verdict.ts";
import { parseAddress, parsePrefix } from "../net/address.ts";
import { nearest } from "../corefile/nearest.ts";
import type { Server } from "../server/server.ts";
import { askServer, DEFAULT_CONTROL_SOCKET } from "./control.ts";
import { type Flags, UsageError } from "./flags.ts";
import type { BuiltIn } from "./load.ts";
import type { Command } from "./mod.ts";
import { formatExplanation } from "./explain_text.ts";
import type * as StandAlone from "./stand_alone.ts";
import { print } from "./verbs.ts";

/** Read when a command wants it: a server that serves has no use for it. */
const STAND_ALONE = new URL("./stand_alone.ts", import.meta.url);

/** The command. */
export const explain: Command = {
  usage: "explain NAME [TYPE] [-client ADDRESS[/LEN]] [-verdicts FILE [-conf FILE]] [-json]",
  summary: "what a client would be answered, with every node, its rank and the reason",
  flags: {
    client: { value: "ADDRESS[/LEN]", help: "the client's network, sent as ECS" },
    source: { value: "ADDRESS", help: "where the query comes from (127.0.0.1)" },
    verdicts: {
      value: "FILE",
      help: 'ask no server: take states from FILE, JSON {"NODE or ADDRESS": "down", …}',
    },
    conf: { value: "FILE", help: "the Corefile to take with -verdicts" },
    "dns.port": { value: "PORT", help: "the port of keys that name none (53)", short: "p" },
    control: { value: "PATH", help: `the server's control socket (${DEFAULT_CONTROL_SOCKET})` },
    json: { help: "print a JSON object, with every fact" },
  },
  wordsMax: 2,
  words: ["text", Object.keys(TYPE)],
  async run({ values, words }, builtIn) {
    const asked = { name: words[0], type: words[1] ?? "A", client: values.client, source: values.source };
    readRequest(asked);
    const explanation = values.verdicts === undefined
      ? await askServer<Explanation>(values.control as string | undefined, "explain", asked)
      : await explainAlone(asked, values, builtIn);
    print(values, explanation, () => formatExplanation(explanation));
    return 0;
  },
};

/** Answers `explain` on a server's control socket. */
export function explainHandler(server: Server): (params: unknown) => Promise<Explanation> {
  return (params) =>
    explainQuery(
      readRequest(params as Asked),
      server.answering.examine,
      server.configuration,
      server.nowMs(),
    );
}

/** States by node id or address, from a JSON file. @throws {UsageError} */
export function readVerdicts(path: string): Record<string, State> {
  const states = ["up", "degraded", "down", "unknown"];
  let verdicts: unknown;
  try {
    verdicts = JSON.parse(Deno.readTextFileSync(path));
  } catch (error) {
    const reason = error instanceof Deno.errors.NotFound ? "there is no such file" : (error as Error).message;
    throw new UsageError(`${path}: ${reason}`);
  }
  if (typeof verdicts !== "object" || verdicts === null || Array.isArray(verdicts)) {
    throw new UsageError(`${path}: must be an object such as {"fra1": "down"}`);
  }
  for (const [who, state] of Object.entries(verdicts)) {
    if (states.includes(state)) continue;
    throw new UsageError(`${path}: ${who} must be one of ${states.join(", ")}: got ${JSON.stringify(state)}`);
  }
  return verdicts as Record<string, State>;
}

interface Asked {
  readonly name?: unknown;
  readonly type?: unknown;
  readonly client?: unknown;
  readonly source?: unknown;
}

/** What was asked for, understood. @throws {UsageError} That names the word that was not. */
function readRequest({ name, type, client, source }: Asked): ExplainRequest {
  if (typeof name !== "string") throw new UsageError("explain needs a NAME: wanted explain NAME [TYPE]");
  const number = typeof type === "string" ? typeFromText(type.toUpperCase()) : undefined;
  if (number === undefined) {
    const guess = nearest(String(type), Object.keys(TYPE));
    throw new UsageError(`There is no type ${type}${guess ? `; did you mean ${guess}?` : ""}`);
  }
  const network = client === undefined ? undefined : parsePrefix(String(client));
  if (client !== undefined && !network) {
    throw new UsageError(
      `-client must be an address or a network with no bits set past its length: got ${client}`,
    );
  }
  const address = source === undefined ? undefined : parseAddress(String(source));
  if (source !== undefined && !address) throw new UsageError(`-source must be an IP address: got ${source}`);
  try {
    const absolute = fold(parseName(name));
    return {
      name: absolute,
      type: number,
      ...(network && { client: network }),
      ...(address && { source: address }),
    };
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

async function explainAlone(asked: Asked, values: Flags["values"], builtIn: BuiltIn) {
  const { standAlone }: typeof StandAlone = await import(STAND_ALONE.href);
  const server = await standAlone(values, readVerdicts(values.verdicts as string), builtIn);
  try {
    return await explainHandler(server)(asked);
  } finally {
    await server.close();
  }
}
