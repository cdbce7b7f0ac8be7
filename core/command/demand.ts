/** `meridian demand`: what client networks ask for, in versions. @module */

import { askAll, ASKING } from "./api_client.ts";
import { countDemand } from "./demand_count.ts";
import { UsageError } from "./flags.ts";
import type { Command } from "./mod.ts";
import { formatTable } from "./table.ts";
import { oneWord, print, runVerb, usageOf, type Verbs } from "./verbs.ts";

/** As many as a version may have. */
const NETWORKS_MAX = 500_000;

const verbs: Verbs = {
  list: {
    usage: "",
    async run(client, _words, values) {
      const versions = await askAll(client, "/v1/demand?limit=1000");
      print(
        values,
        versions,
        () =>
          versions.length === 0 ? "no map of demand: networks count by their addresses" : formatTable(
            ["VERSION", "CURRENT", "FROM", "NETWORKS", "TOTAL", "AT", "BY"],
            versions.map(({ number, isCurrent, source, networks, total, at, actor }) => [
              ...[
                `${number}`,
                isCurrent ? "yes" : "-",
                source,
                `${networks}`,
                `${Math.round(total)}`,
                at,
                actor,
              ],
            ]),
          ),
      );
      return 0;
    },
  },
  import: {
    usage: "FILE",
    async run(client, words, values) {
      const file = oneWord(words, "a FILE with a network and a number in each line");
      const networks = readDemand(await readText(file), file);
      const source = values.logs ? "logs" : "given";
      const { body } = await client.ask("POST", "/v1/demand", { source, networks });
      print(values, body, () => `version ${body.number} of ${body.networks} networks is what servers go by`);
      return 0;
    },
  },
  count: {
    usage: "LOG...",
    async run(_client, words, values) {
      if (words.length === 0) throw new UsageError("demand count wants files with lines of `log json`, or -");
      const count = await countDemand(words), rates = count.rates(NETWORKS_MAX);
      const lines = rates.map(([network, rate]) => `${network} ${Number(rate.toPrecision(6))}`);
      print(values, Object.fromEntries(rates), () => ["# queries a second, by network", ...lines].join("\n"));
      return 0;
    },
  },
  export: {
    usage: "NUMBER",
    async run(client, words, values) {
      const number = oneWord(words, "a version's NUMBER");
      const { body } = await client.ask("GET", `/v1/demand/versions/${encodeURIComponent(number)}/networks`);
      const lines = Object.entries(body.networks).map(([network, demand]) => `${network} ${demand}`);
      print(values, body, () => lines.join("\n"));
      return 0;
    },
  },
  use: {
    usage: "NUMBER|none",
    async run(client, words, values) {
      const word = oneWord(words, "a version's NUMBER, or none");
      if (word === "none") {
        await client.ask("DELETE", "/v1/demand/current");
        print(values, { current: null }, () => "networks count by their addresses");
        return 0;
      }
      if (!/^[1-9]\d{0,8}$/.test(word)) {
        throw new UsageError(`demand use wants a version's NUMBER, or none: got ${word}`);
      }
      const { body } = await client.ask("PUT", "/v1/demand/current", { number: Number(word) });
      print(values, body, () => `version ${body.number} of ${body.networks} networks is what servers go by`);
      return 0;
    },
  },
  remove: {
    usage: "NUMBER",
    async run(client, words, values) {
      const number = oneWord(words, "a version's NUMBER");
      await client.ask("DELETE", `/v1/demand/versions/${encodeURIComponent(number)}`);
      print(values, { number: Number(number), removed: true }, () => `version ${number} is gone`);
      return 0;
    },
  },
};

/** The command. */
export const demand: Command = {
  usage: usageOf("demand", verbs),
  summary: "say what client networks ask for: what previews weigh them by",
  flags: {
    ...ASKING,
    logs: { help: "the numbers are counted from logs: previews then tell shares of queries" },
  },
  wordsMax: 1000,
  words: [Object.keys(verbs), "file"],
  run: (flags) => runVerb("demand", verbs, flags),
};

/** `198.51.100.0/24 120.5` in each line, or with a comma or a tab between; `#` begins a comment. @throws {UsageError} */
export function readDemand(text: string, file: string): Record<string, number> {
  const networks: Record<string, number> = {};
  for (const [i, line] of text.split("\n").entries()) {
    const written = line.replace(/#.*/, "").trim();
    if (written === "") continue;
    const [network = "", number = "", ...rest] = written.split(/[\s,;]+/), demand = Number(number);
    if (rest.length > 0 || number === "" || !Number.isFinite(demand)) {
      throw new UsageError(
        `${file}:${i + 1}: wanted NETWORK NUMBER, such as 198.51.100.0/24 120.5: got ${written}`,
      );
    }
    if (Object.hasOwn(networks, network)) throw new UsageError(`${file}:${i + 1}: ${network} is there twice`);
    networks[network] = demand;
  }
  return networks;
}

/** @throws {UsageError} */
async function readText(file: string): Promise<string> {
  try {
    return await Deno.readTextFile(file);
  } catch (error) {
    throw new UsageError(
      `demand import: cannot read ${file}: ${error instanceof Error ? error.message : error}`,
    );
  }
}
