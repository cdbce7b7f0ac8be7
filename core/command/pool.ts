/** `meridian pool`: the pools of a fleet. @module */

import { type ApiClient, askAll, ASKING } from "./api_client.ts";
import type { Flags } from "./flags.ts";
import type { Command } from "./mod.ts";
import { formatTable } from "./table.ts";
import { lookedAt, MOVING, type MovingRequest } from "./preview_text.ts";
import { oneWord, patchOf, print, runVerb, usageOf, type Verbs } from "./verbs.ts";
import { visibleJson } from "./visible.ts";

const verbs: Verbs = {
  list: {
    usage: "",
    async run(client, _words, values) {
      const pools = await askAll(client, "/v1/pools?limit=1000");
      print(values, pools, () =>
        pools.length === 0 ? "no pools" : formatTable(
          ["POOL", "TAKES", "CHECKS", "ANSWERS", "STRATEGY", "ALL DOWN", "ORIGIN"],
          pools.map(({ name, checks, answers, strategy, compat, allDown, origin = "api", ...pool }) => [
            ...[name, takenBy(pool), checks?.join(" ") ?? "all", `${answers ?? (compat ? 3 : 2)}`],
            ...[`${strategy ?? "linear"}${compat ? " compat" : ""}`, allDownOf(allDown), origin],
          ]),
        ));
      return 0;
    },
  },
  show: {
    usage: "NAME",
    async run(client, words, _values) {
      const { body } = await client.ask("GET", pathOf(oneWord(words, "the pool's NAME")));
      console.log(visibleJson(body));
      return 0;
    },
  },
  add: {
    usage: "NAME [KEY=VALUE...]",
    async run(client, [name = "", ...words], values) {
      const pool = { name: nameOf(name), ...wordsOf(words) };
      const request = { method: "POST", path: "/v1/pools", body: pool, question: `Make pool ${pool.name}` };
      return await changed(client, request, values, "is there");
    },
  },
  set: {
    usage: "NAME KEY=VALUE...",
    async run(client, [name = "", ...words], values) {
      const request = { method: "PATCH", path: pathOf(name), body: wordsOf(words) };
      const question = `Change pool ${nameOf(name)}`;
      return await changed(client, { ...request, question }, values, words.join(" "));
    },
  },
  remove: {
    usage: "NAME",
    async run(client, words, values) {
      const name = oneWord(words, "the pool's NAME"), question = `Take pool ${nameOf(name)} away`;
      // Asked whether anybody serves it or not: a name is gone with it.
      const request = { method: "DELETE", path: pathOf(name), question, asksAlways: true };
      return await changed(client, request, values, "is gone");
    },
  },
};

/** The command. */
export const pool: Command = {
  usage: usageOf("pool", verbs),
  summary: "list, add, change and remove the pools of a fleet",
  flags: {
    ...ASKING,
    ...MOVING,
  },
  wordsMax: 100,
  words: [Object.keys(verbs), "text"],
  run: (flags) => runVerb("pool", verbs, flags),
};

/** Tells first what a change would do, and makes it where that is meant. */
async function changed(
  client: ApiClient,
  request: MovingRequest,
  values: Flags["values"],
  done: string,
): Promise<number> {
  const ended = await lookedAt(client, request, values);
  if (ended !== undefined) return ended;
  const { method, path, body } = request;
  const { body: value } = await client.ask(method, path, body);
  const name = value?.name ?? decodeURIComponent(path.slice(path.lastIndexOf("/") + 1));
  print(values, value ?? { name, removed: true }, () => `${name} ${done}`);
  return 0;
}

/** Keys of lists: their values may be words between commas. */
const LISTS = ["members", "checks", "unknown.nodes"];

function wordsOf(words: readonly string[]): Record<string, unknown> {
  return patchOf(words.map((word) => {
    const [, key, text] = /^([\w.-]+)=(.*)$/s.exec(word) ?? [];
    const isList = key !== undefined && LISTS.includes(key) && text !== "" && !text!.startsWith("[");
    return isList ? `${key}=${JSON.stringify(text!.split(","))}` : word;
  }));
}

/** A whole name, whether the dot at its end is written or not. */
function nameOf(name: string): string {
  const folded = name.toLowerCase();
  return folded.endsWith(".") ? folded : `${folded}.`;
}

function pathOf(name: string): string {
  return `/v1/pools/${encodeURIComponent(nameOf(name))}`;
}

function takenBy(
  { select = {}, members }: {
    readonly select?: Record<string, string>;
    readonly members?: readonly string[];
  },
): string {
  const labels = Object.entries(select).map(([key, value]) => `${key}=${value}`);
  if (!members) return labels.join(" ") || "every node";
  return [members.length > 3 ? `${members.length} members` : members.join(" "), ...labels].join(" ");
}

function allDownOf(
  { policy = "last-known-good", pool = "" }: { policy?: string; pool?: string } = {},
): string {
  return pool ? `${policy} ${pool}` : policy;
}
