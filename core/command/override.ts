/** `meridian override`: a person's word on nodes, for a while. @module */

import { parseDurationMs } from "../corefile/arguments.ts";
import { askAll, ASKING } from "./api_client.ts";
import { type Flags, UsageError } from "./flags.ts";
import type { Command } from "./mod.ts";
import { formatSpan, formatTable } from "./table.ts";
import { confirmed, oneWord, previewText, print, runVerb, usageOf, type Verbs } from "./verbs.ts";

const verbs: Verbs = {
  list: {
    usage: "",
    async run(client, _words, values) {
      const overrides = await askAll(client, "/v1/overrides?limit=1000");
      print(values, overrides, () =>
        overrides.length === 0 ? "no overrides" : formatTable(
          ["ID", "WHAT", "STATE", "ENDS", "BY", "REASON"],
          overrides.map(({ id, target, state, weight, until, actor, reason }) => [
            ...[id, targetText(target), state ?? `weight ${weight}`, ending(until), actor, reason],
          ]),
        ));
      return 0;
    },
  },
  add: {
    usage:
      "up|drain|down|weight=N node=ID|pool=NAME|region=NAME|label=KEY=VALUE... -for DURATION -reason TEXT",
    async run(client, [what = "", ...targets], values) {
      const override = {
        ...{ ...whatOf(what), target: targetOf(targets), reason: values.reason ?? "" },
        ...spanOf(values),
      };
      const { body: preview } = await client.ask("POST", "/v1/overrides?preview", override);
      if (values.preview) return (print(values, preview, () => previewText(preview)), 0);
      if (!values.json) console.error(previewText(preview));
      if (preview.pools.length > 0 && !confirmed(values, "Do it")) return 1;
      const { body } = await client.ask("POST", "/v1/overrides", override);
      print(values, body, () => `${body.id}: ${what} ${targets.join(" ")} until ${body.until}`);
      return 0;
    },
  },
  end: {
    usage: "ID",
    async run(client, words, values) {
      const id = oneWord(words, "the override's ID");
      await client.ask("DELETE", `/v1/overrides/${encodeURIComponent(id)}`);
      print(values, { id, ended: true }, () => `${id} has ended`);
      return 0;
    },
  },
};

/** The command. */
export const override: Command = {
  usage: usageOf("override", verbs),
  summary: "force nodes up, down, out or to another weight, for a while",
  flags: {
    ...ASKING,
    for: { value: "DURATION", help: "how long it lasts: 30m, 2h" },
    until: { value: "INSTANT", help: "when it ends, instead: 2026-12-01T03:00:00Z" },
    preview: { help: "only tell what it would do" },
    yes: { help: "do not ask before traffic moves" },
    acknowledge: {
      value: "POOL",
      help: "a pool that may be left with nobody; may stand more than once",
      many: true,
    },
    from: { value: "INSTANT", help: "when it begins (now): maintenance that is known beforehand" },
  },
  wordsMax: 50,
  words: [Object.keys(verbs), "text"],
  run: (flags) => runVerb("override", verbs, flags),
};

/** @throws {UsageError} */
function whatOf(word: string): { state: string } | { weight: number } {
  if (["up", "drain", "down"].includes(word)) return { state: word };
  const [, weight] = /^weight=(.+)$/.exec(word) ?? [];
  if (weight !== undefined && Number.isFinite(Number(weight))) return { weight: Number(weight) };
  throw new UsageError(`override add wants up, drain, down or weight=N: got ${word || "nothing"}`);
}

/** @throws {UsageError} */
function targetOf(words: readonly string[]): Record<string, unknown> {
  const target: Record<string, unknown> = {}, labels: Record<string, string> = {};
  for (const word of words) {
    const [, kind, rest = ""] = /^(node|pool|region|label)=(.+)$/.exec(word) ?? [];
    const [, key, value = ""] = /^([^=]+)=(.*)$/.exec(rest) ?? [];
    if (kind === "label" && key !== undefined) labels[key] = value;
    else if (kind !== undefined && kind !== "label") target[kind] = rest;
    else {throw new UsageError(
        `override add wants node=ID, pool=NAME, region=NAME or label=KEY=VALUE: got ${word}`,
      );}
  }
  return Object.keys(labels).length > 0 ? { ...target, labels } : target;
}

/** @throws {UsageError} */
function spanOf(values: Flags["values"]): { from?: string; until?: string } {
  const from = values.from as string | undefined, until = values.until as string | undefined;
  const lastsMs = values.for === undefined ? undefined : parseDurationMs(String(values.for));
  if ((lastsMs === undefined) === (until === undefined)) {
    throw new UsageError("override add wants an end: -for DURATION, such as 2h, or -until INSTANT");
  }
  const startMs = from === undefined ? Date.now() : Date.parse(from);
  return { ...from !== undefined && { from }, until: until ?? new Date(startMs + lastsMs!).toISOString() };
}

function targetText(
  { labels, ...rest }: { labels?: Record<string, string> } & Record<string, unknown>,
): string {
  const words = [
    ...Object.entries(rest),
    ...Object.entries(labels ?? {}).map(([key, value]) => ["label", `${key}=${value}`]),
  ];
  return words.map(([kind, name]) => `${kind}=${name}`).join(" ");
}

function ending(until: string): string {
  const inMs = Date.parse(until) - Date.now();
  return inMs > 0 ? `in ${formatSpan(inMs)}` : "ended";
}
